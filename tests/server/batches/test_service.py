"""Batches of a server: rows become jobs, what comes of them is noted, and a restart goes on."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.errors import FileError, JobConflict, JobError, NoSuchJob, SettingError, WorkflowError
from engine.formats.png import png_texts
from server.app.services import Services
from server.batches.records import BatchRecord, BatchSubmission
from server.jobs.store import Wanted
from tests.server.words import n, served, until

pytestmark = pytest.mark.anyio

GRAPH = {"1": n("Number", value=1), "2": n("Add", a=("1", 0), b=1), "3": n("Save", value=("2", 0))}


async def ended(services: Services, id: str) -> BatchRecord:
    """Wait for a batch to end."""
    with services.jobs.subscribe(since=0, wants=lambda job: job == id) as feed:
        while services.batches.get(id).state == "running":
            await asyncio.wait_for(feed.next(), 30)
    return services.batches.get(id)


async def run(services: Services, workflow: Any = GRAPH, **more: Any) -> BatchRecord:
    made = await services.batches.submit(BatchSubmission(workflow, **more))
    return await ended(services, made.id)


async def facts(services: Services, id: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.kind, event.data) for event in (await services.jobs.events(job=id)).events]


def files(tmp_path: Path) -> dict[str, str]:
    root = tmp_path / "out"
    found = sorted(path for path in root.rglob("*") if path.suffix == ".txt")
    return {path.relative_to(root).as_posix(): path.read_text() for path in found}


async def test_rows_become_jobs_whose_files_have_the_names_of_the_rows(tmp_path):
    async with served(tmp_path) as services:
        record = await run(
            services, rows=[{"value": 1}, {"value": 5}], grid={"b": "1..3"}, out="sums/{value}+{b}", labels=["night"]
        )
        assert (record.state, record.total, record.done, record.failed, record.left) == ("succeeded", 6, 6, 0, None)
        sums = {f"sums/{a}+{b}.txt": str(a + b) for a in (1, 5) for b in (1, 2, 3)}
        assert files(tmp_path) == sums
        assert not (tmp_path / "out" / "sums" / ".batch").exists()
        lines = await services.batches.lines(record.id, 2, 1)
        assert [(line["row"], line["values"], line["files"]) for line in lines] == [
            (2, {"value": 1, "b": 2}, ["1+2.txt"]),
            (3, {"value": 1, "b": 3}, ["1+3.txt"]),
        ]
        told = await facts(services, record.id)
        assert [kind for kind, _ in told] == ["row"] * 6 + ["batch_ended"]
        assert [(body["row"], body["done"], body["total"]) for _, body in told[:-1]] == [
            (row, row, 6) for row in range(1, 7)
        ]
        assert told[4][1]["left"] >= 0 and told[-1][1]["state"] == "succeeded"
        jobs = (await services.jobs.page(Wanted(labels=(f"batch {record.id}",)))).jobs
        assert len(jobs) == 6 and all(job.state == "succeeded" and "night" in job.labels for job in jobs)
        places = {
            (file["subfolder"], file["filename"])
            for job in jobs
            for out in job.outputs.values()
            for file in out["files"]
        }
        assert places == {("sums", name.removeprefix("sums/")) for name in sums}


async def test_a_row_that_can_not_run_or_fails_takes_no_other_with_it(tmp_path):
    graph = {"1": n("Fail", value=1), "2": n("Number", value=1), "3": n("Save", value=("2", 0))}
    async with served(tmp_path) as services:
        rows = [{"2.value": 1}, {"2.value": "x"}, "line 4 of rows.csv: 3 values", {"2.value": ["1", 0]}, {"2.value": 5}]
        record = await run(services, graph, rows=rows, out="f/{row}")
        assert (record.state, record.done, record.failed) == ("failed", 2, 3)
        assert sorted(files(tmp_path)) == ["f/1.txt", "f/5.txt"]
        told = [body["row"] for kind, body in await facts(services, record.id) if kind == "row"]
        assert told[:2] == [2, 3] and sorted(told[2:]) == [1, 4, 5]
        lines = {line["row"]: line for line in await services.batches.lines(record.id, 9, 0)}
        assert lines[2]["error"]["faults"][0]["input"] == "value"
        assert lines[3]["error"]["message"] == rows[2]
        assert "no 1" in lines[4]["error"]["message"] and "raised" not in lines[4]["error"]


async def test_what_is_done_is_not_done_again(tmp_path):
    graph = {"1": n("Log", value=1, path=str(tmp_path / "log")), "2": n("Save", value=("1", 0))}
    async with served(tmp_path) as services:
        first = await run(services, graph, grid={"1.value": [1, 2]}, out="d/{row}")
        again = await run(services, graph, grid={"1.value": [1, 2, 3]}, out="d/{row}")
        assert (first.done, again.done, again.skipped) == (2, 1, 2)
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3"]


async def test_a_batch_is_cancelled(tmp_path):
    graph = {"1": n("Steps", value=1, count=1000, seconds=0.01), "2": n("Save", value=("1", 0))}
    async with served(tmp_path) as services:
        made = await services.batches.submit(BatchSubmission(graph, grid={"1.value": "1..100"}, out="c/{row}"))
        with services.jobs.subscribe(since=0) as feed:
            while services.jobs.counts().running == 0:
                await asyncio.wait_for(feed.next(), 30)
        with pytest.raises(JobError, match="has not ended"):
            await services.batches.forget(made.id)
        await services.batches.cancel(made.id)
        record = await ended(services, made.id)
        assert (record.state, record.done, record.failed) == ("cancelled", 0, 0)
        assert not services.jobs.queue()
        assert (await services.batches.cancel(made.id)).state == "cancelled"
        await services.batches.forget(made.id)
        with pytest.raises(NoSuchJob):
            services.batches.get(made.id)
        assert await facts(services, made.id) == []


async def test_a_batch_that_was_cancelled_stays_so_after_a_restart(tmp_path):
    graph = {"1": n("Steps", value=1, count=1000, seconds=0.01), "2": n("Save", value=("1", 0))}
    async with served(tmp_path) as services:
        made = await services.batches.submit(BatchSubmission(graph, grid={"1.value": "1..100"}, out="c/{row}"))
        await until(services.jobs, "began")
        assert (await services.batches.cancel(made.id)).id == made.id
    (tmp_path / "out" / "c" / ".batch").mkdir(exist_ok=True)
    async with served(tmp_path) as services:
        record = services.batches.get(made.id)
        assert (record.state, record.done, services.jobs.queue()) == ("cancelled", 0, [])
        assert (await services.jobs.page()).total <= 5
    assert not (tmp_path / "out" / "c" / ".batch").exists()


async def test_a_batch_is_cancelled_while_a_row_is_checked(tmp_path):
    async with served(tmp_path) as services:
        made = await services.batches.submit(BatchSubmission(GRAPH, grid={"b": [1, 2]}, out="c/{row}"))
        while not services.batches._tending[made.id]._waiting:
            await asyncio.sleep(0)
        await services.batches.cancel(made.id)
        assert (await ended(services, made.id)).state == "cancelled"
        assert services.jobs.queue() == []


async def test_jobs_are_not_forgotten_before_their_batch_has_noted_them(tmp_path):
    async with served(tmp_path, history_jobs=0) as services:
        record = await run(services, grid={"b": "1..12"}, out="h/{row}")
        assert (record.state, record.done) == ("succeeded", 12)
        await run(services, grid={"b": "1..4"}, out="i/{row}")
        assert (await services.jobs.page()).total < 12
    assert len(files(tmp_path)) == 16


async def test_history_is_cleared_while_a_batch_runs(tmp_path):
    async with served(tmp_path) as services:
        made = await services.batches.submit(BatchSubmission(GRAPH, grid={"b": "1..12"}, out="h/{row}"))
        while services.batches.get(made.id).state == "running":
            await services.jobs.forget([job.id for job in (await services.jobs.page()).jobs])
        record = services.batches.get(made.id)
        assert (record.state, record.done) == ("succeeded", 12)
    assert len(files(tmp_path)) == 12


async def test_a_batch_that_fails_leaves_no_jobs(tmp_path):
    async with served(tmp_path) as services:
        await services.jobs.pause()
        made = await services.batches.submit(BatchSubmission(GRAPH, grid={"b": "1..9"}, out="h/{row}"))
        await until(services.jobs, "queued", count=2)
        services.batches._tending[made.id]._course.manifest._file.close()
        await services.jobs.cancel(services.jobs.queue()[0].id)
        record = await ended(services, made.id)
        assert (record.state, services.jobs.queue()) == ("failed", [])
        assert services.jobs.store.kept == set()


async def test_no_file_is_replaced_that_the_batch_did_not_make(tmp_path):
    mine = tmp_path / "out" / "o" / "1.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    async with served(tmp_path) as services:
        record = await run(services, grid={"b": [1, 2]}, out="o/{row}")
        assert (record.done, record.failed) == (1, 1)
        (failed, _) = await services.batches.lines(record.id, 2, 0)
        assert "there already" in failed["error"]["message"] and mine.read_text() == "mine"
        with pytest.raises(FileError, match="another workflow"):
            await services.batches.submit(BatchSubmission(GRAPH | {"9": n("Number", value=1)}, out="o/{row}"))


async def test_a_sheet_takes_the_place_of_nothing(tmp_path):
    graph = {"1": n("Picture", colour="red")}
    async with served(tmp_path) as services:
        with pytest.raises(SettingError, match="sheet"):
            await services.batches.submit(BatchSubmission(graph, rows=[{"name": "sheet"}], out="p/{name}", sheet=True))
        await run(services, graph, rows=[{"name": "sheet"}], out="p/{name}")
        with pytest.raises(FileError, match="place of"):
            await services.batches.submit(BatchSubmission(graph, rows=[{"name": "x"}], out="p/{name}", sheet=True))
        mine = tmp_path / "out" / "q" / "sheet.png"
        mine.parent.mkdir()
        mine.write_text("mine")
        with pytest.raises(FileError, match="place of"):
            await services.batches.submit(BatchSubmission(graph, out="q/{row}", sheet=True))
        assert mine.read_text() == "mine"
        await run(services, graph, grid={"colour": ["red", "blue"]}, out="r/{row}", sheet=True)
        again = await run(services, graph, grid={"colour": ["red", "blue", "lime"]}, out="r/{row}", sheet=True)
        assert (again.skipped, again.sheet) == (2, "sheet.png")


async def test_the_same_id_is_the_same_batch(tmp_path):
    asked = BatchSubmission(GRAPH, "mine", grid={"b": [1]}, out="x/{row}")
    async with served(tmp_path) as services:
        first = await services.batches.submit(asked)
        await ended(services, first.id)
        assert (await services.batches.submit(asked)).done == 1
        with pytest.raises(JobConflict, match="another batch"):
            await services.batches.submit(BatchSubmission(GRAPH, "mine", grid={"b": [2]}))
        await services.jobs.pause()
        await services.batches.submit(BatchSubmission(GRAPH, grid={"b": [2]}, out="y/{row}"))
        with pytest.raises(JobConflict, match="at work in the folder"):
            await services.batches.submit(BatchSubmission(GRAPH, grid={"b": [3]}, out="y/{row}"))
        found, total = await services.batches.page(limit=1)
        assert total == 2 and [each.state for each in found] == ["running"]


async def test_the_same_id_at_the_same_time_is_the_same_batch(tmp_path):
    async with served(tmp_path) as services:
        same = BatchSubmission(GRAPH, id="twin", grid={"b": "1..3"}, out="t/{row}")
        other = BatchSubmission(GRAPH, id="twin", grid={"b": "1..4"}, out="o/{row}")
        asked = (services.batches.submit(each) for each in (same, same, other))
        first, second, refused = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(first, BatchRecord) and isinstance(second, BatchRecord) and isinstance(refused, JobConflict)
        assert first.id == second.id == "twin" and (await services.batches.page())[1] == 1
        assert (await ended(services, "twin")).done == 3


async def test_no_batch_waits_until_a_large_one_is_made(tmp_path):
    async with served(tmp_path) as services:
        large = asyncio.create_task(
            services.batches.submit(BatchSubmission(GRAPH, id="large", grid={"b": "1..10000"}, out="l/{row}"))
        )
        await asyncio.sleep(0)
        small = await services.batches.submit(BatchSubmission(GRAPH, grid={"b": "1..2"}, out="s/{row}"))
        assert (small.state, large.done()) == ("running", False)
        await large
        await services.batches.cancel("large")
        assert (await ended(services, "large")).state == "cancelled"


async def test_large_batches_hold_up_nothing_else_and_are_not_taken_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("server.batches.service.MOST_SUBMITTED", 4)
    async with served(tmp_path) as services:
        asked = [BatchSubmission(GRAPH, id=f"l{i}", grid={"b": "1..3000"}, out=f"l{i}/{{row}}") for i in range(6)]
        made = [asyncio.create_task(services.batches.submit(each)) for each in asked]
        await asyncio.wait(made, return_when=asyncio.FIRST_EXCEPTION)
        assert [isinstance(task.exception(), JobConflict) for task in made if task.done()] == [True] * 2
        assert (await services.batches.page())[0] == []
        for task in made[:4]:
            await services.batches.cancel((await task).id)


async def test_an_id_is_no_path(tmp_path):
    async with served(tmp_path) as services:
        record = await run(services, grid={"b": [1]}, out="o/{row}", id="../../../x")
        assert (record.state, files(tmp_path)) == ("succeeded", {"o/1.txt": "2"})
        (job,) = (await services.jobs.page()).jobs
        place = json.loads(services.jobs.store.body(job.id))["part"]["folder"]
        assert job.id.startswith("../../../x.") and re.fullmatch(r"o/\.batch/[0-9a-f]{32}", place)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"out": "{row}"}, SettingError),
        ({"out": "../x/{row}"}, FileError),
        ({"out": "/x/{row}"}, FileError),
        ({"out": "x/../../y/{row}"}, FileError),
        ({"out": ".hidden/{row}"}, FileError),
        ({"out": "x/.{row}"}, FileError),
        ({"out": "x/{b}"}, SettingError),
        ({"grid": {"b": "@/etc/passwd"}, "out": "x/{row}"}, None),
        ({"grid": {"none": [1]}}, WorkflowError),
        ({"grid": {"b": []}}, SettingError),
        ({"workflow": {"1": {"class_type": "Number"}, "2": {"class_type": 3, "inputs": {}}}}, WorkflowError),
    ],
)
async def test_what_can_not_begin_changes_nothing(tmp_path, more, error):
    given = {"workflow": GRAPH, "grid": {"value": [1, 2]}} | more
    async with served(tmp_path) as services:
        if error is None:  # no file is read: the text itself is the value, which is no number
            assert (await run(services, **given)).failed == 1
            return
        with pytest.raises(error):
            await services.batches.submit(BatchSubmission(**given))
        assert await services.batches.page() == ([], 0)
    assert not (tmp_path / "out").exists() and not (tmp_path / "x").exists()


async def test_a_sheet_and_provenance(tmp_path):
    graph = {"1": n("Picture", colour="red")}
    async with served(tmp_path) as services:
        record = await run(services, graph, grid={"colour": ["red", "blue"]}, out="p/{colour}", sheet=True)
    assert record.sheet == "sheet.png"
    with Image.open(tmp_path / "out" / "p" / "sheet.png") as sheet:
        assert sheet.width > 2 * 64
    with (tmp_path / "out" / "p" / "blue.png").open("rb") as stream:
        texts = {name: json.loads(text) for name, text in png_texts(stream).items()}
    assert texts["prompt"]["1"]["inputs"] == {"colour": "blue"} and texts["loomis"]["source"] == graph
    assert texts["loomis"]["made"]["batch"] == {"row": 2, "of": 2, "values": {"colour": "blue"}}
    assert texts["loomis"]["made"]["parameters"] == {"colour": "blue"}


async def test_a_restart_goes_on(tmp_path):
    log = tmp_path / "log"
    graph = {"1": n("Log", value=1, path=str(log), seconds=0.05), "2": n("Save", value=("1", 0))}
    async with served(tmp_path) as services:
        made = await services.batches.submit(BatchSubmission(graph, grid={"1.value": "1..20"}, out="r/{row}"))
        with services.jobs.subscribe(since=0) as feed:
            while services.batches.get(made.id).done < 5:
                await asyncio.wait_for(feed.next(), 30)
    async with served(tmp_path) as services:
        record = await ended(services, made.id)
        assert (record.state, record.done + record.skipped, record.failed) == ("succeeded", 20, 0)
        assert record.skipped >= 5
    assert len(files(tmp_path)) == 20
    assert sorted(map(int, log.read_text().split())) == list(range(1, 21))


async def test_a_batch_that_can_not_go_on_stops_until_a_later_start(tmp_path):
    graph = {"1": n("Log", value=1, path=str(tmp_path / "log")), "2": n("Save", value=("1", 0))}
    async with served(tmp_path) as services:
        await services.jobs.pause()
        made = await services.batches.submit(BatchSubmission(graph, grid={"1.value": [1, 2, 3]}, out="r/{row}"))
        other = await services.batches.submit(BatchSubmission(graph, grid={"1.value": [4]}, out="s/{row}"))
        await until(services.jobs, "queued", count=4)
    lost = tmp_path / "out" / "r" / "manifest.jsonl"
    kept = lost.read_bytes()
    for manifest in (lost, tmp_path / "out" / "s" / "manifest.jsonl"):
        manifest.write_text("not mine")
    async with served(tmp_path) as services:
        await services.jobs.resume()
        record = services.batches.get(made.id)
        assert record.state == "stopped" and "no manifest" in record.error["message"]
        assert services.jobs.queue() == [] and (await services.batches.page())[1] == 2
        assert (await facts(services, made.id))[-1][1]["state"] == "stopped"
        assert (await services.batches.cancel(other.id)).state == "cancelled"
    assert lost.read_text() == "not mine" and not (tmp_path / "log").exists()
    lost.write_bytes(kept)
    async with served(tmp_path) as services:
        record = await ended(services, made.id)
        assert (record.state, record.done, record.error) == ("succeeded", 3, None)
        assert services.batches.get(other.id).state == "cancelled"
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3"]


async def test_pictures_are_those_of_the_input_folder(tmp_path):
    root = tmp_path / "in" / "photos"
    root.mkdir(parents=True)
    for colour in ("red", "blue"):
        Image.new("RGB", (4, 4), colour).save(root / f"{colour}.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    graph = {"1": n("NamePicture", image="photos/red.png"), "2": n("Save", value=("1", 0))}
    async with served(tmp_path) as services:
        record = await run(services, graph, grid={"image": "photos/*.png"}, out="l/{row}")
        assert (record.done, files(tmp_path)) == (2, {"l/1.txt": "photos/blue.png", "l/2.txt": "photos/red.png"})
        outside = [str(tmp_path / "secret.png"), "../secret.png"]
        record = await run(services, graph, grid={"image": outside}, out="m/{row}")
        assert (record.done, record.failed) == (0, 2)
        with pytest.raises(FileError, match="names no files"):
            await services.batches.submit(BatchSubmission(graph, grid={"image": f"{tmp_path}/*.png"}, out="n/{row}"))
    assert not (tmp_path / "in" / "batch").exists()
