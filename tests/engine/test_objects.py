import errno

import numpy as np
import pytest

from engine.objects import Objects, file_bytes
from engine.values import pack, to_bytes, unpack


@pytest.fixture
def objects(tmp_path):
    return Objects(tmp_path / "objects")


PACKED = pack(np.arange(5000, dtype=np.float32))


def test_a_value_is_a_file_named_by_its_digest(objects):
    objects.write(PACKED.digest, PACKED)
    name = PACKED.digest.hex()
    assert list(objects.files()) == [objects.folder / name[:2] / name]
    assert objects.path(PACKED.digest).read_bytes() == to_bytes(PACKED)
    assert np.array_equal(unpack(objects.read(PACKED.digest)), np.arange(5000))


@pytest.mark.parametrize("text", ["", "x" * 10_000])
def test_a_value_without_tensors_too(objects, text):
    packed = pack(text)
    objects.write(packed.digest, packed)
    assert unpack(objects.read(packed.digest)) == text


def damaged(data):
    yield b""
    yield data[: len(data) // 2]
    yield data[:-1]
    yield data + b"\0"
    yield b"\xff" * len(data)
    for place in (0, 9, 100, len(data) // 2, len(data) - 1):
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("packed", [PACKED, pack("text" * 2000)], ids=["tensor", "text"])
def test_damage_is_a_miss(objects, packed):
    assert objects.read(packed.digest) is None
    objects.write(packed.digest, packed)
    path = objects.path(packed.digest)
    for data in damaged(to_bytes(packed)):
        path.write_bytes(data)
        assert objects.read(packed.digest) is None
    path.unlink()
    assert objects.read(packed.digest) is None


def test_a_write_that_fails_leaves_nothing(objects, monkeypatch):
    def full(self, target):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError):
        objects.write(PACKED.digest, PACKED)
    assert list(objects.files()) == []


def test_dropping_takes_half_written_files_along(objects):
    objects.write(PACKED.digest, PACKED)
    path = objects.path(PACKED.digest)
    path.with_name(f"{path.name}.123.part").write_bytes(b"half")
    objects.drop_parts(PACKED.digest)
    objects.drop_parts(PACKED.digest)
    assert list(objects.files()) == []


def test_size_on_disk_is_counted_in_blocks(objects):
    objects.write(PACKED.digest, PACKED)
    length = objects.path(PACKED.digest).stat().st_size
    assert length <= file_bytes(PACKED) < length + 4096 and file_bytes(PACKED) % 4096 == 0
