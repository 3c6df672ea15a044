"""Output files: their names, the workflow inside, and that they are there."""

import io
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from blake3 import blake3
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from safetensors import safe_open
from safetensors.torch import load, save

from engine.call import Outcome
from engine.errors import FileError
from engine.folders import Folders, confined
from engine.memo import Lost, Memo
from engine.names import Stamp
from engine.node import Artifact
from engine.outputs import (
    Outputs,
    check_writable,
    filler,
    numbered,
    with_png_text,
    with_safetensors_text,
    without_png_text,
    write,
)
from engine.provenance import Provenance
from engine.settings import Settings
from engine.store import Store
from tests.engine.words import Vocabulary, engine, n, ran, recorded

WORDS = Vocabulary().registry
PROMPT = {"1": {"class_type": "A", "inputs": {"text": "naïve ☃ \ud800 prompt"}}}


@pytest.fixture
def memo(tmp_path: Path):
    folders = Folders((), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    with Store(None, memory_bytes=10_000, disk_bytes=0) as store:
        yield Memo(store, folders)


def png(size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (10, 20, 30)).save(file, "PNG")
    return file.getvalue()


def made(memo: Memo) -> Provenance:
    return Provenance({}, memo.folders, memo.store.files, Settings())


def place(memo: Memo, key: bytes, *files: Artifact, folders: Folders | None = None, **extra: Any) -> list[Any]:
    outcome = Outcome(files=files)
    row = memo.remember(WORDS["Save"], key, outcome, {})
    placed = Outputs(memo, folders or memo.folders, PROMPT, extra, made(memo)).place("1", key, row, outcome)
    return [placed.written, *placed.files]


def test_a_file_is_named_counted_and_described(memo: Memo, tmp_path: Path):
    written, file = place(memo, b"k", Artifact(b"x", "sub/a", ".txt", kind="text"))
    assert written and file == {
        "filename": "a_00001_.txt",
        "subfolder": "sub",
        "type": "output",
        "kind": "text",
        "path": str(tmp_path / "output" / "sub" / "a_00001_.txt"),
    }
    assert Path(file["path"]).read_bytes() == b"x"
    assert [path.name for path in (tmp_path / "output" / "sub").iterdir()] == ["a_00001_.txt"]
    _, file = place(memo, b"t", Artifact(b"x", "a", folder="temp", suffix=".txt"))
    assert (file["type"], file["subfolder"], file["path"]) == ("temp", "", str(tmp_path / "temp" / "a_00001_.txt"))


def test_the_counter_is_one_above_the_highest_that_is_there(memo: Memo, tmp_path: Path):
    folder = tmp_path / "output"
    folder.mkdir()
    for name in ("a_00007_.png", "a_00003_.txt", "b_00050_.txt", "a_x_.txt", "aa_00090_.txt", "a_123456_b.txt"):
        (folder / name).touch()
    names = numbered(folder, "a", ".txt")
    assert [names(0), names(1)] == ["a_123457_.txt", "a_123458_.txt"]
    assert numbered(folder, "c", ".txt")(0) == "c_00001_.txt"
    assert numbered(folder, "new/a.b (1)", ".txt")(0) == "new/a.b (1)_00001_.txt"


def test_each_call_has_a_name_of_its_own_and_keeps_it(memo: Memo):
    def names(key: bytes) -> list[str]:
        return [file["filename"] for file in place(memo, key, *[Artifact(b"x", "a", ".txt")] * 2)[1:]]

    assert names(b"1") == ["a_00001_.txt", "a_00002_.txt"]
    assert names(b"2") == ["a_00003_.txt", "a_00004_.txt"]
    assert names(b"1") == ["a_00001_.txt", "a_00002_.txt"]


def test_tokens_in_a_prefix():
    fill = filler(3, 640, 480)
    assert fill("a_%width%x%height%_%batch_num%") == "a_640x480_3"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d\d\d\d\d\d", fill("%year%-%month%-%day%/%hour%%minute%%second%"))
    assert fill("100%_%unknown%_%%") == "100%_%unknown%_%%"


@pytest.mark.parametrize("prefix", ["../a", "/a", "a/../../b", "", "C:/a", "a\0b", "b" * 300, "c/" * 600])
def test_a_prefix_that_leaves_the_folder_is_refused(memo: Memo, prefix: str, tmp_path: Path):
    with pytest.raises(FileError):
        place(memo, b"k", Artifact(b"x", prefix, ".txt"))
    assert not (tmp_path / "output").exists()


def test_a_file_that_is_there_is_left_and_one_that_is_gone_is_written_again(memo: Memo):
    artifact = Artifact(b"data", "a", ".txt")
    path = Path(place(memo, b"k", artifact)[1]["path"])
    assert place(memo, b"k", artifact)[0] is False
    os.utime(path, ns=(0, 0))
    assert place(memo, b"k", artifact)[0] is False  # touched, with the same bytes
    for ruin in (path.unlink, lambda: path.write_bytes(b"")):
        ruin()
        assert place(memo, b"k", artifact)[0] is True and path.read_bytes() == b"data"


@pytest.mark.parametrize("theirs", [b"longer than ours", b"mine"])
def test_a_file_of_somebody_else_is_neither_reported_nor_overwritten(memo: Memo, theirs: bytes):
    artifact = Artifact(b"data", "a", ".txt")
    path = Path(place(memo, b"k", artifact)[1]["path"])
    path.write_bytes(theirs)
    row = memo.row(b"k")
    assert row is not None and not memo._on_disk(b"k", 0, "output")
    written, file = place(memo, b"k", artifact)
    assert written and path.read_bytes() == theirs
    assert file["filename"] == "a_00002_.txt" and Path(file["path"]).read_bytes() == b"data"
    assert place(memo, b"k", artifact) == [False, file]


def test_a_file_that_appears_under_a_reserved_name_before_ours_is_left(memo: Memo, tmp_path: Path):
    folder = tmp_path / "output"
    folder.mkdir()
    memo.store.names.reserve(b"k", 0, str(folder), lambda attempt: "a_00001_.txt")
    (folder / "a_00001_.txt").write_bytes(b"mine")
    assert place(memo, b"k", Artifact(b"data", "a", ".txt"))[1]["filename"] == "a_00002_.txt"
    assert (folder / "a_00001_.txt").read_bytes() == b"mine"


def test_a_process_that_was_killed_after_the_file_appeared_finds_it_again(memo: Memo, tmp_path: Path):
    """The stamp is kept before the file is renamed, so there is no moment at which our file is a stranger."""
    path = tmp_path / "a.txt"

    def see(stamp: Stamp) -> None:
        assert not path.exists()
        seen.append(stamp)

    seen: list[Stamp] = []
    write(path, b"data", see)
    assert seen[0].fits(path) and seen[0].size == 4


def test_without_a_disk_for_names_a_file_is_still_ours(tmp_path: Path):
    folders = Folders((), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    with Store(tmp_path / "store", memory_bytes=10_000, disk_bytes=10**6, warn=lambda said: None) as store:
        memo = Memo(store, folders)
        store._index._writer.execute("PRAGMA query_only = TRUE")
        artifact = Artifact(b"data", "a", ".txt")
        assert [place(memo, b"k", artifact)[0] for _ in range(2)] == [True, False]
        store._index._writer.execute("PRAGMA query_only = FALSE")


def test_a_remembered_file_is_written_from_the_store_or_lost(memo: Memo):
    row = memo.remember(WORDS["Save"], b"k", Outcome(files=(Artifact(b"data", "a", ".txt"),)), {})
    placed = Outputs(memo, memo.folders, PROMPT, {}, made(memo)).place("1", b"k", row)
    assert placed.written and Path(placed.files[0]["path"]).read_bytes() == b"data"
    Path(placed.files[0]["path"]).unlink()
    memo.store.clear()
    with pytest.raises(Lost):
        Outputs(memo, memo.folders, PROMPT, {}, made(memo)).place("1", b"k", row)


def test_another_folder_gets_its_own_copy(memo: Memo, tmp_path: Path):
    other = Folders((), tmp_path / "input", tmp_path / "elsewhere", tmp_path / "temp")
    place(memo, b"1", Artifact(b"x", "a", ".txt"))
    _, first = place(memo, b"2", Artifact(b"x", "a", ".txt"))
    written, second = place(memo, b"2", Artifact(b"x", "a", ".txt"), folders=other)
    assert written and first["filename"] == "a_00002_.txt" and second["filename"] == "a_00001_.txt"
    assert second["path"] == str(tmp_path / "elsewhere" / "a_00001_.txt") and Path(first["path"]).is_file()


def test_the_workflow_is_in_the_picture(memo: Memo):
    workflow = {"nodes": [{"id": 1, "title": "北"}]}
    path = Path(place(memo, b"k", Artifact(png(), "a"), workflow=workflow)[1]["path"])
    with Image.open(path) as image:
        assert isinstance(image, PngImageFile)
        image.load()
        assert image.getpixel((1, 1)) == (10, 20, 30) and image.size == (3, 2)
        texts = {name: json.loads(text) for name, text in image.text.items()}
    assert texts.pop("loomis")["made"]["result"] == blake3(png()).hexdigest()
    assert texts == {"prompt": PROMPT, "workflow": workflow}
    assert without_png_text(path.read_bytes()) == png()


def test_texts_change_no_other_byte():
    data = png()
    spliced = with_png_text(data, {"prompt": {}, "b": [1]})
    assert spliced.startswith(data[:33]) and spliced.endswith(data[33:]) and with_png_text(data, {}) == data


def test_a_folder_that_can_not_be_written(memo: Memo, tmp_path: Path):
    (tmp_path / "output").write_text("a file in the way")
    for action in (
        lambda: place(memo, b"k", Artifact(b"x", "a", ".txt")),
        lambda: check_writable(tmp_path / "output"),
        lambda: check_writable(tmp_path / "output" / "below"),
        lambda: write(tmp_path / "output" / "a.txt", b"x"),
    ):
        with pytest.raises(FileError, match="can't be written") as caught:
            action()
        assert caught.value.hint and str(tmp_path / "output") in str(caught.value.got)


def test_nothing_half_written_is_left(tmp_path: Path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(FileError):
        write(tmp_path / "a.txt", b"x")
    assert os.listdir(tmp_path) == ["a.txt"]  # noqa: PTH208


LISTED = {
    "1": n("Range", count=2),
    "2": n("Name", a=("1", 0)),
    "3": n("Save", text=("2", 0), prefix="a"),
}


def test_every_file_of_a_list_is_reported_whether_it_was_made_now_or_before(tmp_path: Path):
    words = Vocabulary()

    @words.registry.node("Name")
    def name(a: int) -> str:
        return f"text {a}"

    with engine(words, tmp_path) as e:
        first = e.run(LISTED).outputs["3"].files
        result, events = recorded(e, LISTED, parameters={"1.count": 3})
        files = result.outputs["3"].files
        assert files[:2] == first and [Path(file["path"]).read_text() for file in files] == [
            "text 0", "text 1", "text 2",
        ]  # fmt: skip
        assert ran(events) == ["1", "2", "3"] and words.called("Save") == ["text 0", "text 1", "text 2"]
        Path(files[1]["path"]).unlink()
        assert e.run(LISTED, {"1.count": 3}).outputs["3"].files == files and Path(files[1]["path"]).is_file()


def test_a_prefix_is_filled_in():
    fill = filler(2, 640, 480)
    assert fill("a/%width%x%height%_%batch_num%_%unknown%_50%") == "a/640x480_2_%unknown%_50%"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d{4}-\d\d", fill("%date:yyyy-MM-dd%/%year%-%month%"))
    assert fill("%date:yyyy%") == fill("%year%") and fill("%date:%") == "%date:%"


@pytest.mark.parametrize("prefix", ["%date:yyyy-MM-dd%/a", "12:30 a", "a/b:c", "..a"])
def test_a_name_may_hold_colons_and_dots(prefix: str):
    assert confined(prefix) == Path(prefix)


@pytest.mark.parametrize("prefix", ["", "/a", "\\a", "../a", "a/../../b", "C:a", "c:\\a", "a\0"])
def test_a_name_that_leaves_its_folder_is_refused(prefix: str):
    with pytest.raises(FileError, match="leaves its folder"):
        confined(prefix)


def test_a_date_in_a_prefix_reaches_the_name_of_the_file(tmp_path: Path):
    graph = {"1": n("Text", value="hello"), "2": n("Save", text=("1", 0), prefix="%date:yyyy%/a")}
    with engine(Vocabulary(), tmp_path) as e:
        (file,) = e.run(graph).outputs["2"].files
    assert file["path"] == str(tmp_path / "output" / time.strftime("%Y") / "a_00001_.txt")


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written(tmp_path: Path):
    theirs, alive = tmp_path / f".a.png.{os.getpid()}-0000.1", tmp_path / ".a.png.1-0000.1"
    other = tmp_path / f".b.png.{os.getpid()}-0000.1"
    for path in (theirs, alive, other):
        path.write_bytes(b"half")
    write(tmp_path / "a.png", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", alive.name, other.name}


def test_a_file_that_can_not_be_written_leaves_nothing(tmp_path: Path):
    target = tmp_path / "a.png"
    (target / "folder").mkdir(parents=True)
    with pytest.raises(FileError, match="can't be written") as caught:
        write(target, b"whole")
    assert caught.value.hint and [path.name for path in tmp_path.iterdir()] == ["a.png"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match="can't be written"):
        write(tmp_path / "file" / "a.png", b"whole")


def test_texts_go_behind_the_header_of_a_png():
    header = b"\x89PNG\r\n\x1a\n" + b"h" * 25
    assert with_png_text(header + b"rest", {}) == header + b"rest"
    chunk = with_png_text(header + b"rest", {"prompt": "ä"})[len(header) : -4]
    assert chunk[:8] == b"\0\0\0\x0ftEXt" and chunk[8:-4] == b'prompt\0"\\u00e4"'


@pytest.mark.parametrize("metadata", [None, {"kept": "yes"}])
def test_texts_go_into_the_metadata_of_a_safetensors_file(tmp_path: Path, metadata: dict[str, str] | None):
    texts = {"prompt": {"1": {"class_type": "A", "inputs": {"text": "für"}}}, "workflow": {"nodes": []}}
    tensors = {"a": torch.arange(5, dtype=torch.float32), "empty": torch.tensor([])}
    data = with_safetensors_text(save(tensors, metadata), texts)
    got = load(data)
    assert got.keys() == tensors.keys()
    assert all(torch.equal(got[name], tensors[name]) for name in tensors)
    (tmp_path / "x.latent").write_bytes(data)
    with safe_open(tmp_path / "x.latent", "pt") as file:
        written = file.metadata()
    assert {name: json.loads(written[name]) for name in texts} == texts
    assert written.keys() == {*texts, *(metadata or {})}
    assert int.from_bytes(data[:8], "little") % 8 == 0
