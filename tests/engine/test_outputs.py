"""File names, and files that are whole or not there."""

import json
import os
import re
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from engine.errors import FileError
from engine.folders import confined
from engine.outputs import filler, numbered, with_png_text, with_safetensors_text, write
from tests.engine.words import Vocabulary, engine, n


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


def test_names_go_up_from_the_highest_that_is_there(tmp_path: Path):
    (tmp_path / "a_00007_.png").touch()
    (tmp_path / "ab_00009_.png").touch()
    name = numbered(tmp_path, "a", ".png")
    assert [name(0), name(1)] == ["a_00008_.png", "a_00009_.png"]


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
