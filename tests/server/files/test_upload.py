import asyncio
import tracemalloc
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import FileError
from server.files.errors import FileConflict, FileTooLarge
from server.files.upload import Stored, receive


async def stream(chunks, pause=0.0):
    for chunk in chunks:
        await asyncio.sleep(pause)
        yield chunk


def upload(root: Path, name: str, *chunks: bytes, conflict="refuse", limit=2**20, stall=5.0, pause=0.0) -> Stored:
    return asyncio.run(receive(stream(chunks, pause), root, name, conflict=conflict, limit=limit, stall=stall))


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(max_examples=15)
@given(st.lists(st.binary(max_size=50), max_size=10))
def test_what_was_sent_is_what_is_there(tmp_path_factory, chunks):
    root = tmp_path_factory.mktemp("input")
    whole = b"".join(chunks)
    stored = upload(root, "a.bin", *chunks)
    assert stored == Stored("a.bin", len(whole), blake3(whole).hexdigest(), True)
    assert files(root) == {"a.bin": whole}


def test_a_large_upload_is_never_whole_in_memory(tmp_path):
    chunk = b"x" * 2**16
    tracemalloc.start()
    stored = upload(tmp_path, "sub/large.bin", *[chunk] * 640, limit=2**26)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stored.size == 40 * 2**20
    assert peak < 8 * 2**20


def test_the_same_content_is_there_already(tmp_path):
    upload(tmp_path, "a.png", b"one")
    for conflict in ("refuse", "rename", "overwrite"):
        assert not upload(tmp_path, "a.png", b"o", b"ne", conflict=conflict).created
    assert files(tmp_path) == {"a.png": b"one"}


def test_another_content_is_refused_renamed_or_takes_its_place(tmp_path):
    upload(tmp_path, "a.png", b"one")
    with pytest.raises(FileConflict, match="another file"):
        upload(tmp_path, "a.png", b"two")
    assert upload(tmp_path, "a.png", b"two", conflict="rename").name == "a (1).png"
    assert upload(tmp_path, "a.png", b"three", conflict="rename").name == "a (2).png"
    assert upload(tmp_path, "a.png", b"two", conflict="rename") == Stored(
        "a (1).png", 3, blake3(b"two").hexdigest(), False
    )
    assert upload(tmp_path, "a.png", b"four", conflict="overwrite").created
    assert files(tmp_path) == {"a.png": b"four", "a (1).png": b"two", "a (2).png": b"three"}


def test_an_upload_that_is_too_large_or_stops_leaves_nothing(tmp_path):
    with pytest.raises(FileTooLarge):
        upload(tmp_path, "a.png", b"x" * 600, b"x" * 600, limit=1000)
    with pytest.raises(TimeoutError):
        upload(tmp_path, "a.png", b"x", b"y", stall=0.05, pause=0.2)

    async def vanishes():
        yield b"x"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(receive(vanishes(), tmp_path, "a.png", conflict="refuse", limit=9, stall=1))
    assert list(tmp_path.iterdir()) == []


def test_patience_is_for_each_chunk_and_not_for_all(tmp_path):
    assert upload(tmp_path, "slow.bin", *[b"x"] * 6, stall=0.4, pause=0.1).size == 6


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "a\\..\\..\\b", "out/a.png", "CON", ".bashrc", "a\0b", "x" * 300]
)
def test_no_upload_leaves_the_folder(tmp_path, name):
    root = tmp_path / "input"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(FileError):
        upload(root, name, b"x")
    assert files(tmp_path) == {}


@pytest.mark.parametrize("conflict", ["refuse", "overwrite"])
def test_a_folder_or_a_file_in_the_way(tmp_path, conflict):
    upload(tmp_path, "folder/a", b"x")
    for name in ("folder", "folder/a/b"):
        with pytest.raises(FileConflict):
            upload(tmp_path, name, b"y", conflict=conflict)
    assert files(tmp_path) == {"folder/a": b"x"}
