"""Rows run one after the other; each is noted, and what is done is not done again."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from engine import Engine, Folders, Settings
from engine.errors import Cancelled, FileError, InputError, ValidationError
from engine.events import NodeFinished
from engine.formats.png import png_texts
from nodes import vocabulary
from nodes.models import pool
from nodes.models.weights import open_weights
from server.batch.axes import Axis
from server.batch.course import Course
from server.batch.manifest import Manifest
from server.batch.names import Names
from server.batch.pictures import Pictures
from server.batch.request import Request, compose
from server.batch.rows import Row
from server.batch.runner import run_batch
from tests.engine.words import Vocabulary, engine, n
from tests.nodes.models import tiny
from tests.nodes.packs.classic import bench, node
from tests.server.batch import killed

ROOT = Path(__file__).parents[3]
GRAPH = {"1": n("Divide", a=7, b=2), "2": n("Add", a=("1", 0), b=("1", 1)), "3": n("Word", a=("2", 0)),
         "4": n("Save", text=("3", 0))}  # fmt: skip


@pytest.fixture
def words():
    words = Vocabulary()

    @words.registry.node("Word")
    def word(a: int) -> str:
        return f"text {a}"

    return words


@pytest.fixture
def e(words, tmp_path: Path):
    with engine(words, tmp_path) as made:
        yield made


def run(e, tmp_path, request, graph=GRAPH, **options):
    batch = compose(e, e.load(graph), request, Pictures(e.folders, tmp_path))
    with Manifest(tmp_path / "out" / "manifest.jsonl", batch.head("w.json")) as manifest:
        told = []
        try:
            progress = run_batch(batch, manifest, on_row=lambda line, counts: told.append(line), **options)
        except Cancelled:
            progress = None
    return progress, told


def names(tmp_path, pattern="{row}"):
    return Names(tmp_path / "out", pattern)


def files(tmp_path):
    found = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.suffix == ".txt")
    return {path.relative_to(tmp_path / "out").as_posix(): path.read_text() for path in found}


def test_every_row_has_its_file_under_its_name(e, tmp_path):
    request = Request(names(tmp_path, "{a}/{row}"), grid=[Axis("a", [7, 9]), Axis("b", [2, 4])])
    progress, told = run(e, tmp_path, request)
    assert (progress.done, progress.failed, progress.skipped) == (4, 0, 0)
    assert files(tmp_path) == {"7/1.txt": "text 4", "7/2.txt": "text 4", "9/3.txt": "text 5", "9/4.txt": "text 3"}
    assert [(line["row"], line["values"], line["files"]) for line in told][1:3] == [
        (2, {"a": 7, "b": 4}, ["7/2.txt"]),
        (3, {"a": 9, "b": 2}, ["9/3.txt"]),
    ]
    assert not (tmp_path / "out" / ".batch").exists()


def test_shared_work_is_done_once(e, words, tmp_path):
    run(e, tmp_path, Request(names(tmp_path), grid=[Axis("3.a", [["2", 0], ["2", 0]]), Axis("b", [2, 3])]))
    assert Counter(words.called("Add")) == {(3, 1): 1, (2, 1): 1}


def test_what_is_done_is_not_done_again(e, words, tmp_path):
    request = Request(names(tmp_path), grid=[Axis("b", [1, 2, 3])])
    run(e, tmp_path, request)
    words.calls.clear()
    more = Request(names(tmp_path), grid=[Axis("b", [1, 2, 3, 4])])
    (tmp_path / "out" / "2.txt").unlink()
    progress, told = run(e, tmp_path, more)
    assert (progress.done, progress.skipped, [line["row"] for line in told]) == (2, 2, [2, 4])
    assert len(files(tmp_path)) == 4


def test_a_row_with_another_graph_is_done_again(e, tmp_path):
    run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [2, 3])]))
    _, told = run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [2, 4])]))
    assert [line["row"] for line in told] == [2]


def test_a_batch_with_other_rows_takes_the_place_of_none(e, words, tmp_path):
    run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [2, 3])]))
    before = files(tmp_path)
    words.calls.clear()
    with pytest.raises(FileError, match=r"1\.txt is of a batch with other rows: b=2") as caught:
        run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [5, 6])]))
    assert (caught.value.got, words.calls, files(tmp_path)) == ("b=5", [], before)
    assert run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [2, 3])]))[0].skipped == 2


def test_bad_rows_are_told_with_their_numbers_before_the_rest_is_done(e, words, tmp_path):
    rows = [
        Row({"b": 2}),
        Row({"b": 0}),
        Row({}, "line 4 of r.csv", InputError("The line has 3 values.")),
        Row({"b": 4}),
    ]
    progress, told = run(e, tmp_path, Request(names(tmp_path), rows))
    assert (progress.done, progress.failed) == (2, 2)
    assert [(line["row"], line["state"]) for line in told] == [(2, "failed"), (3, "failed"), (1, "done"), (4, "done")]
    assert "0 is smaller than 1" in told[0]["error"]["faults"][0]["message"]
    assert (told[1]["origin"], told[1]["error"]["message"]) == ("line 4 of r.csv", "The line has 3 values.")
    again, told = run(e, tmp_path, Request(names(tmp_path), [*rows[:1], Row({"b": 8}), *rows[2:]]))
    assert (again.done, again.failed, again.skipped) == (1, 1, 2)
    assert [(line["row"], line["state"]) for line in told] == [(3, "failed"), (2, "done")]


def test_rows_are_looked_at_for_the_outputs_that_are_asked_for(e, tmp_path):
    graph = {**GRAPH, "5": n("Divide", a=1, b=0), "6": n("Show", value=("5", 0))}
    request = Request(names(tmp_path), grid=[Axis("1.b", [1, 2])])
    assert run(e, tmp_path, request, graph)[0].failed == 2
    assert run(e, tmp_path, request, graph, targets=["4"])[0].done == 2


def test_when_time_is_short_rows_are_looked_at_as_they_come(e, tmp_path, monkeypatch):
    monkeypatch.setattr("server.batch.course.AHEAD_SECONDS", -1)
    _, told = run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [1, 0, 2])]))
    assert [(line["row"], line["state"]) for line in told] == [(1, "done"), (2, "failed"), (3, "done")]


def test_no_picture_is_read_before_its_row_runs(sampling, tmp_path):
    graph = {
        "1": n("LoadImage", image="not there.png"),
        "2": n("ImageScaleBy", image=("1", 0), upscale_method="bilinear", scale_by=0.5),
        "3": n("SaveImage", images=("2", 0), filename_prefix="x"),
    }
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    rows = [Row({"image": "a.png"}), Row({"image": "b.png", "scale_by": -1}), Row({"image": "c.png"})]
    batch = compose(
        sampling, sampling.load(graph), Request(names(tmp_path), rows), Pictures(sampling.folders, tmp_path)
    )
    assert batch.check(1, None) is None
    for number, input in ((2, "scale_by"), (3, "image")):
        with pytest.raises(ValidationError) as caught:
            batch.check(number, None)
        assert [fault.input for fault in caught.value.faults] == [input]
    assert not (tmp_path / "input").exists()
    progress, told = run(sampling, tmp_path, Request(names(tmp_path), rows), graph)
    assert [line["row"] for line in told] == [2, 3, 1] and progress.done == 1
    assert run(sampling, tmp_path, Request(names(tmp_path), rows), graph)[0].skipped == 1


def test_a_batch_that_is_stopped_looks_at_no_more_rows(e, tmp_path):
    stop = threading.Event()
    request = Request(names(tmp_path), grid=[Axis("b", [0, 0, 0, 1])])
    batch = compose(e, e.load(GRAPH), request, Pictures(e.folders, tmp_path))
    with Manifest(tmp_path / "out" / "manifest.jsonl", batch.head("w.json")) as manifest:
        units = Course.of(batch, manifest, lambda line, counts: stop.set(), stop).units()
        assert [job.number for job in next(units).jobs] == [2]
        assert list(manifest.rows) == [1]


def test_a_row_that_fails_while_it_runs(e, tmp_path):
    graph = {"1": n("Fail", a=1), "2": n("Show", value=("1", 0))}
    progress, told = run(e, tmp_path, Request(names(tmp_path), grid=[Axis("1.a", [1, 2])]), graph)
    assert progress.failed == 2 and "no 2" in told[1]["error"]["message"]


def test_several_files_and_texts_of_a_row(e, words, tmp_path):
    graph = GRAPH | {"5": n("Save", text="x"), "6": n("Show", value=("2", 0))}
    _, (line,) = run(e, tmp_path, Request(names(tmp_path)), graph)
    assert (line["files"], line["texts"]) == (["1.txt", "1-2.txt"], ["4"])


def test_cancelled_it_goes_on_where_it_was(e, tmp_path):
    cancel = threading.Event()
    request = Request(names(tmp_path), grid=[Axis("b", [1, 2, 3, 4])])
    batch = compose(e, e.load(GRAPH), request, Pictures(e.folders, tmp_path))
    with Manifest(tmp_path / "out" / "manifest.jsonl", batch.head("w.json")) as manifest, pytest.raises(Cancelled):
        run_batch(batch, manifest, on_row=lambda line, counts: counts.done == 2 and cancel.set(), cancel=cancel)
    progress, _ = run(e, tmp_path, request)
    assert (progress.skipped, progress.done) == (2, 2)


def test_a_new_batch_takes_the_place_of_no_file(e, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "2.png").write_text("mine")
    with pytest.raises(FileError, match="there already"):
        run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [1, 2])]))


def test_a_file_that_no_batch_made_is_never_replaced(e, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "2.txt").write_text("mine")
    request = Request(names(tmp_path), grid=[Axis("b", [1, 2, 3])])
    progress, told = run(e, tmp_path, request)
    assert (progress.done, progress.failed, [line["state"] for line in told]) == (2, 1, ["done", "failed", "done"])
    assert "there already" in told[1]["error"]["message"] and files(tmp_path)["2.txt"] == "mine"
    (tmp_path / "out" / "2.txt").unlink()
    assert run(e, tmp_path, request)[0].done == 1
    assert run(e, tmp_path, Request(names(tmp_path), grid=[Axis("b", [1, 4, 3])]))[0].done == 1
    assert files(tmp_path)["2.txt"] == "text 4"


def test_a_file_that_was_named_before_a_kill_is_replaced(e, tmp_path):
    command = [sys.executable, "-m", "tests.server.batch.killed", str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGXFSZ
    manifest = (tmp_path / "out" / "manifest.jsonl").read_bytes()
    assert files(tmp_path) == {"1.txt": "one"} and len(manifest.splitlines()[1]) == killed.NOTED
    assert run(e, tmp_path, killed.request(tmp_path), killed.GRAPH)[0].done == 2
    assert files(tmp_path) == {"1.txt": "one", "2.txt": "two"}


def test_another_workflow_does_not_go_on_in_the_folder(e, tmp_path):
    request = Request(names(tmp_path), grid=[Axis("b", [1, 2])])
    run(e, tmp_path, request)
    batch = compose(e, e.load(GRAPH), request, Pictures(e.folders, tmp_path))
    Manifest(tmp_path / "out" / "manifest.jsonl", batch.head("/elsewhere/w.json")).close()
    with pytest.raises(FileError, match="another workflow"):
        Manifest(tmp_path / "out" / "manifest.jsonl", batch.head("v.json"))


SAMPLED = {
    "1": n("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
    "2": n("CLIPTextEncode", text="a fox", clip=("1", 1)),
    "3": n("CLIPTextEncode", text="", clip=("1", 1)),
    "4": n("EmptyLatentImage", width=32, height=32, batch_size=1),
    "5": n("KSampler", model=("1", 0), seed=0, steps=1, cfg=2.0, sampler_name="euler", scheduler="normal",
           positive=("2", 0), negative=("3", 0), latent_image=("4", 0), denoise=1.0),
    "6": n("VAEDecode", samples=("5", 0), vae=("1", 2)),
    "7": n("SaveImage", images=("6", 0), filename_prefix="x"),
}  # fmt: skip


@pytest.fixture
def sampling(tmp_path):
    tiny.write(tmp_path / "models" / "checkpoints" / "tiny.safetensors", tiny.tensors())
    folders = Folders((tmp_path / "models",), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    with Engine(vocabulary(), folders=folders, settings=Settings(device="cpu")) as made:
        yield made


@pytest.mark.parametrize("count", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_seeds_of_one_prompt_encode_it_once_and_load_the_checkpoint_once(sampling, tmp_path, count, monkeypatch):
    events, opened = [], []
    monkeypatch.setattr(pool, "open_weights", lambda path: opened.append(path) or open_weights(path))
    request = Request(names(tmp_path, "{seed}"), grid=[Axis("seed", range(1, count + 1))])
    progress, _ = run(sampling, tmp_path, request, SAMPLED, on_event=events.append)
    times = Counter(event.node for event in events if isinstance(event, NodeFinished))
    assert times == {"1": 1, "2": 1, "3": 1, "4": 1, "5": count, "6": count, "7": count}
    assert len(opened) == 1
    assert progress.done == count
    pixels = {path.read_bytes()[-2000:] for path in (tmp_path / "out").glob("*.png")}
    assert len(pixels) == count


def test_a_picture_says_which_row_it_is(sampling, tmp_path):
    request = Request(names(tmp_path, "{seed}"), grid=[Axis("seed", [8, 9])])
    run(sampling, tmp_path, request, SAMPLED)
    with (tmp_path / "out" / "9.png").open("rb") as stream:
        texts = {name: json.loads(text) for name, text in png_texts(stream).items()}
    assert texts["loomis"]["made"]["batch"] == {"row": 2, "of": 2, "values": {"seed": 9}}
    assert texts["prompt"]["5"]["inputs"]["seed"] == 9


@pytest.mark.parametrize("type", ["KeepFile", "SaveText"])
def test_files_that_nodes_of_packs_write_themselves_have_the_names_of_their_rows(tmp_path, type):
    before = tmp_path / "output" / "kept" / "kept.txt"
    before.parent.mkdir(parents=True)
    before.write_text("before")
    request = Request(names(tmp_path), grid=[Axis("text", ["a", "b"])])
    with bench(tmp_path) as classic:
        for _ in range(2):
            progress, told = run(classic.engine, tmp_path, request, {"1": node(type, text="x")})
        assert (progress.failed, progress.done + progress.skipped, told) == (0, 2, [])
    assert list(files(tmp_path).values()) == ["a", "b"] and before.read_text() == "before"


def test_a_row_whose_files_are_not_there_fails_and_the_rest_goes_on(tmp_path):
    request = Request(names(tmp_path), grid=[Axis("text", ["", "b"])])
    with bench(tmp_path) as classic:
        progress, told = run(classic.engine, tmp_path, request, {"1": node("KeepFile", text="x")})
    assert (progress.failed, progress.done) == (1, 1)
    assert told[0]["error"]["message"].startswith("The files of the row are gone")
