import os
from pathlib import Path

import pytest

from engine.parts import Part


def test_a_part_takes_its_place_a_free_one_or_none(tmp_path: Path):
    (tmp_path / "taken").write_bytes(b"old")
    with Part(tmp_path / "sub" / "a") as part:
        part.file.write(b"a")
        part.take(tmp_path / "sub" / "a")
    with Part(tmp_path / "a") as part:
        part.file.write(b"b")
        assert not part.take_free(tmp_path / "taken")
        assert part.take_free(tmp_path / "free")
    with Part(tmp_path / "a") as part, pytest.raises(IsADirectoryError):
        part.take(tmp_path / "sub")
    with Part(tmp_path / "a"), Part(tmp_path / "a"):
        assert len(os.listdir(tmp_path)) == 5  # noqa: PTH208
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in found} == {
        "sub/a": b"a", "free": b"b", "taken": b"old",
    }  # fmt: skip
