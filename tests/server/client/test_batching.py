"""``loomis batch --server``: rows that a server runs, told as if they ran here."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from server.client import Client
from tests.server.commands.test_submit import write
from tests.server.conftest import Command
from tests.server.online import Online, online
from tests.server.words import after, n, shown


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as made:
        yield made


SAVE = {"1": n("Number", value=1), "2": n("Save", value=("1", 0))}


def test_rows_axes_and_values_go_to_the_server(loomis: Command, here: Path, server: Online) -> None:
    (here / "rows.csv").write_text("value,name\n7,a\n8\n9,b\n")
    (here / "words.txt").write_text("x\ny\n")
    args = (
        "batch",
        write(here, SAVE),
        "--rows",
        "rows.csv",
        "--grid",
        "word=@words.txt",
        "--out",
        "d/{name}-{word}-{row}",
    )
    ran = loomis(*args, "--server", server.url)
    below = f"{server.url}/api/v1/files/output/d/"
    assert ran.out.splitlines() == [below + name for name in ("a-x-1.txt", "a-y-2.txt", "b-x-5.txt", "b-y-6.txt")]
    assert httpx2.get(ran.out.splitlines()[0]).text == "7"
    assert ran.code == 1 and "row 3: failed: line 3 of rows.csv: The line has 1 values." in ran.err
    assert ran.err.endswith("4 rows done, 2 failed\nfailed: 3, 4\n")
    root = server.services.engine.folders.output
    assert (root / "d" / "b-y-6.txt").read_text() == "9"
    again = loomis(*args, "--server", server.url, "--json")
    assert again.lines[-1] == {"batch": {"done": 0, "failed": 2, "skipped": 4, "rows": 6}, "sheet": None}


def test_texts_and_the_default_folder(loomis: Command, here: Path, server: Online) -> None:
    ran = loomis("batch", write(here, shown(1)), "--grid", "value=1..3", "--server", server.url, "-q")
    assert (ran.code, ran.out) == (0, "1\n2\n3\n")
    assert server.do(server.services.batches.page())[0][0].folder == "job-batch"


def test_the_address_needs_no_scheme(loomis: Command, here: Path, server: Online) -> None:
    asked = ("batch", write(here, shown(1)), "--grid", "value=4", "--out", "plain", "-q", "--server")
    assert loomis(*asked, server.url.removeprefix("http://")).code == 0
    assert "--server can't be 'nowhere'" in loomis(*asked, "nowhere").err


def test_a_batch_is_watched_again_by_its_id(loomis: Command, here: Path, server: Online) -> None:
    with Client(server.url) as client:
        id = client.submit_batch(SAVE, rows=[{"value": 3}, {"value": "x"}], out="again/{row}").id
    for start in (id, id[:10]):
        ran = loomis("watch", start, "--server", server.url)
        assert (ran.code, ran.out) == (1, f"{server.url}/api/v1/files/output/again/1.txt\n")
        assert ran.err.endswith("1 rows done, 1 failed\nfailed: 2\n")
    ran = loomis("watch", id, id, "--server", server.url)
    assert (ran.code, "is a batch" in ran.err, "one batch, or jobs" in ran.err) == (1, True, True)


def test_a_batch_is_one_line_of_the_list_and_its_rows_on_request(loomis: Command, here: Path, server: Online) -> None:
    with Client(server.url) as client:
        client.submit_batch(SAVE, batch="listed", rows=[{"value": 3}, {"value": "x"}], out="l/{row}", labels=["mine"])
        list(client.watch_batch("listed"))
        client.submit(SAVE, job="listed-too", labels=["mine"])
        list(client.watch("listed-too"))
    args = ("jobs", "--label", "mine", "--server", server.url)
    told = loomis(*args)
    lines = [line.split()[:2] for line in told.out.splitlines()]
    assert lines[1:3] == [["listed-too", "succeeded"], ["listed", "failed"]]
    assert "batch, 1 of 2 rows done, 1 failed, mine" in told.out and "1 of 1 jobs and 1 batches; 0 running" in told.out
    rows = [line.split()[0] for line in loomis(*args, "--rows").out.splitlines()[1:-1]]
    assert [id[:9] for id in rows] == ["listed-to", "listed.1."]
    data = loomis(*args, "--json").lines[0]
    assert [each["id"] for name in ("jobs", "batches") for each in data[name]] == ["listed-too", "listed"]
    assert loomis(*args, "--state", "failed").out.splitlines()[1].split()[0] == "listed"
    shown = dict(line.split(maxsplit=1) for line in loomis("jobs", "listed", "--server", server.url).out.splitlines())
    assert (shown["rows"], shown["folder"]) == (
        "1 of 2 rows done, 1 failed",
        "l, below the output folder of the server",
    )
    assert loomis("jobs", "listed.1", "--server", server.url).out.startswith("id        listed.1.")


def test_the_beginning_of_a_batchs_id_means_the_batch(loomis: Command, here: Path, server: Online) -> None:
    server.do(server.services.jobs.pause())
    made = submitted(server)
    server.do(until_queued(server))
    ran = loomis("cancel", made[:12], "--server", server.url)
    server.do(server.services.jobs.resume())
    assert ran.code == 0 and ran.out.startswith(made)
    assert loomis("jobs", made, "--server", server.url, "--json").lines[0]["state"] == "cancelled"


async def until_queued(server: Online) -> None:
    """Wait until a job is queued."""
    async with asyncio.timeout(20):
        while not server.services.jobs.queue():
            await asyncio.sleep(0.01)


def test_a_batch_is_cancelled_by_its_id(loomis: Command, here: Path, server: Online) -> None:
    server.do(server.services.jobs.pause())
    made = submitted(server)
    ran = loomis("cancel", made, "--server", server.url)
    server.do(server.services.jobs.resume())
    assert ran.code == 0 and ran.out.startswith(made)
    assert loomis("cancel", "none", "--server", server.url).code == 1


def submitted(server: Online) -> str:
    with Client(server.url) as client:
        return client.submit_batch(after(Nap={"value": 1, "seconds": 9.0}), grid={"value": "1..9"}, out="n/{row}").id


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--grid", "none=1"), "names no input"),
        (("--grid", "value=1", "value=2"), "has values twice"),
        (("--grid", "value=1", "--out", "../{row}"), "leaves its folder"),
        (("--grid", "value=1", "--model-map", "a=b"), "maps no models"),
        (("--grid", "value=1", "--sheet", "mine.png"), "expected  --sheet sheet.png"),
        (("--rows", "."), "its own input folder"),
        (("--grid", "value=1-3"), "Write the range as value=1..3."),
    ],
)
def test_what_can_not_begin(loomis: Command, here: Path, server: Online, args, why) -> None:
    ran = loomis("batch", write(here, shown(1)), *args, "--server", server.url)
    assert ran.code and why in ran.err


def test_without_a_server(loomis: Command, here: Path) -> None:
    ran = loomis("batch", write(here, shown(1)), "--server", "http://127.0.0.1:9")
    assert ran.code == 1 and "loomis serve" in ran.err
