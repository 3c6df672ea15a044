import json

import pytest

from engine.errors import FileError, StoreError
from server.batch.manifest import Manifest

DONE = {"state": "done", "key": "k", "values": {}, "files": ["a.png"], "seconds": 1.0}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.png").touch()
    return tmp_path / "manifest.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_appended_and_read_again(path):
    with Manifest(path, {"seed": 3}) as manifest:
        manifest.write(2, DONE)
        assert manifest.done(2, "k", path.parent)
    with Manifest(path, {"seed": 4}) as manifest:
        assert manifest.head == {"manifest": 1, "seed": 3}
        assert manifest.done(2, "k", path.parent)
        assert manifest.lines(2) == [{}, {"row": 2, **DONE}]
    assert lines(path) == [{"manifest": 1, "seed": 3}, {"row": 2, **DONE}]


def test_a_row_is_done_only_with_its_graph_and_its_files(path):
    with Manifest(path, {}) as manifest:
        manifest.write(1, DONE)
        manifest.write(2, DONE | {"state": "failed"})
        assert not manifest.done(1, "other", path.parent)
        assert not manifest.done(2, "k", path.parent)
        (path.parent / "a.png").unlink()
        assert not manifest.done(1, "k", path.parent)


def test_cut_anywhere_the_whole_rows_are_kept(path):
    with Manifest(path, {}) as manifest:
        for row in (1, 2):
            manifest.write(row, DONE)
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Manifest(path, {}) as manifest:
            assert len(manifest.rows) == max(sum(end <= cut for end in ends) - 1, 0)
            manifest.write(3, DONE)
        assert [line.get("row") for line in lines(path)][-1] == 3


def test_one_process_at_a_time(path):
    with Manifest(path, {}), pytest.raises(StoreError, match="Another process"):
        Manifest(path, {})
    Manifest(path, {}).close()


@pytest.mark.parametrize("content", ["{}\n", "[]\n", '{"1": {"class_type": "A"}}\n', "text\n", '{"manifest": 9}\n'])
def test_another_file_is_left_alone(path, content):
    path.write_text(content)
    with pytest.raises(FileError, match="no manifest"):
        Manifest(path, {})
    assert path.read_text() == content


def test_a_folder_that_can_not_be_written(path):
    with pytest.raises(FileError, match="can't be written"):
        Manifest(path.parent / "a.png" / "manifest.jsonl", {})
