import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from engine.errors import FileError
from nodes.models.weights import DTYPES, describe, in_memory, open_weights


def header(entries: dict[str, object], data: bytes = b"") -> bytes:
    raw = json.dumps(entries).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def test_tensors_in_memory_are_as_those_of_a_file(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2, 3), "b": torch.zeros((), dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "x")
    opened, held = open_weights(tmp_path / "x"), in_memory(tmp_path / "x", tensors)
    assert held.infos == opened.infos and held.path == opened.path and held.metadata == {}
    assert held.tensor("a") is tensors["a"]


def test_tensors_of_every_dtype_come_back_bit_equal(tmp_path: Path) -> None:
    tensors = {
        key: torch.arange(6).reshape(2, 3).to(getattr(torch, name)).contiguous() for key, (name, _) in DTYPES.items()
    }
    save_file(tensors, tmp_path / "x", metadata={"title": "t"})
    weights = open_weights(tmp_path / "x")
    assert weights.metadata == {"title": "t"}
    assert set(weights.infos) == set(tensors)
    for name, tensor in tensors.items():
        read = weights.tensor(name)
        assert weights.infos[name].dtype == name
        assert read.dtype == tensor.dtype
        assert torch.equal(read.view(torch.uint8), tensor.view(torch.uint8))


def test_tensors_are_views_of_one_mapping(tmp_path: Path) -> None:
    save_file({"a": torch.ones(4), "b": torch.zeros(4)}, tmp_path / "x")
    weights = open_weights(tmp_path / "x")
    assert weights.tensor("a").data_ptr() == weights.tensor("a").data_ptr()
    assert abs(weights.tensor("a").data_ptr() - weights.tensor("b").data_ptr()) == 16


def test_writing_to_a_view_leaves_the_file_alone(tmp_path: Path) -> None:
    save_file({"a": torch.ones(4)}, tmp_path / "x")
    before = (tmp_path / "x").read_bytes()
    open_weights(tmp_path / "x").tensor("a").zero_()
    assert (tmp_path / "x").read_bytes() == before


def test_scalars_empty_tensors_and_odd_offsets(tmp_path: Path) -> None:
    entries = {
        "byte": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "float": {"dtype": "F32", "shape": [], "data_offsets": [1, 5]},
        "none": {"dtype": "F16", "shape": [0, 3], "data_offsets": [5, 5]},
    }
    (tmp_path / "x").write_bytes(header(entries, b"\x07" + struct.pack("<f", 2.5)))
    weights = open_weights(tmp_path / "x")
    assert weights.tensor("byte").tolist() == [7]
    assert weights.tensor("float").item() == 2.5
    assert weights.tensor("none").shape == (0, 3)


def test_a_truncated_file_says_so(tmp_path: Path) -> None:
    save_file({"a": torch.ones(100)}, tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    for length in (len(whole) - 1, len(whole) - 400, 40, 12):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(FileError, match="cut is truncated") as raised:
            open_weights(tmp_path / "cut")
        assert raised.value.got == f"{length} bytes"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "an empty file"),
        (b"Once upon a time", "a text file that begins 'Once upon a time'"),
        (b"<!DOCTYPE html><p>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer (the file itself was never downloaded)"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"GGUF\x03\x00", "a GGUF file"),
        (bytes(range(20)), "a file of unknown kind that begins 00 01 02 03 04 05 06 07"),
    ],
)
def test_what_is_not_a_weights_file_is_named(tmp_path: Path, content: bytes, got: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(FileError, match=r"x\.safetensors is not a weights file") as raised:
        open_weights(tmp_path / "x.safetensors")
    assert raised.value.got == got


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_header_as_long_as_a_pickle_begins_is_still_one(tmp_path: Path, length: int) -> None:
    raw = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode().ljust(length)
    (tmp_path / "x").write_bytes(struct.pack("<Q", length) + raw + struct.pack("<f", 2.5))
    assert open_weights(tmp_path / "x").tensor("a").item() == 2.5


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="can't read gone"):
        open_weights(tmp_path / "gone")


@pytest.mark.parametrize(
    "entries",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}},
        {"a": {"dtype": "F32", "shape": ["1"], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": 4}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}},
        {"a": 5},
        {"__metadata__": []},
    ],
)
def test_a_broken_header_is_an_error(tmp_path: Path, entries: dict[str, object]) -> None:
    (tmp_path / "x").write_bytes(header(entries, bytes(8)))
    with pytest.raises(FileError):
        open_weights(tmp_path / "x")


@pytest.mark.parametrize("raw", [b"{" * 5000, b'{"a": ', b"{\xff}"])
def test_a_header_that_is_not_json_is_an_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(raw)) + raw)
    with pytest.raises(FileError, match="header of x is broken"):
        open_weights(tmp_path / "x")


def test_a_huge_header_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(FileError, match="not a weights file"):
        open_weights(tmp_path / "x")


@given(st.binary(max_size=600))
def test_any_bytes_can_be_described(head: bytes) -> None:
    assert describe(head)


def test_reading_a_header_does_not_import_torch(models: Path) -> None:
    code = f"""if True:
        import sys
        from pathlib import Path
        from nodes.models import lora, memory, prompt, tokenizer
        from nodes.models.families import detect
        from nodes.models.weights import open_weights
        assert detect(open_weights(Path({str(models / "checkpoints" / "tiny")!r}))).family == "sd1"
        assert not [name for name in ("torch", "diffusers", "transformers", "numpy") if name in sys.modules]
    """
    subprocess.run([sys.executable, "-c", code], check=True)
