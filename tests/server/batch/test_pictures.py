from pathlib import Path

import pytest

from engine.errors import FileError
from engine.folders import Folders
from server.batch.pictures import Pictures


@pytest.fixture
def pictures(tmp_path: Path):
    for name in ("input/sub/in.png", "photos/a.png", "photos/b.png", "photos/other/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Pictures(Folders(input=tmp_path / "input"), tmp_path)


def test_a_picture_of_the_input_folder_is_used_where_it_is(pictures, tmp_path):
    assert pictures.name(str(tmp_path / "input" / "sub" / "in.png")) == "sub/in.png"
    assert pictures.name("input/sub/in.png") == "sub/in.png"
    assert pictures.name("sub/in.png") == "sub/in.png"
    assert not (tmp_path / "input" / "batch").exists()


def test_another_is_copied_once_under_a_name_that_tells_its_content(pictures, tmp_path):
    first, other = pictures.name("photos/a.png"), pictures.name(str(tmp_path / "photos" / "other" / "a.png"))
    assert first != other and first.startswith("batch/a-") and first.endswith(".png")
    assert (tmp_path / "input" / first).read_text() == "photos/a.png"
    assert Pictures(pictures.folders, tmp_path).name("photos/a.png") == first
    assert len(list((tmp_path / "input" / "batch").iterdir())) == 2


def test_what_is_no_file_stays_as_it_is(pictures):
    assert pictures.name("nobody.png") == "nobody.png"


def test_patterns(pictures, tmp_path):
    wanted = [str(tmp_path / "photos" / name) for name in ("a.png", "b.png")]
    assert pictures.spread("photos/*.png") == pictures.spread(str(tmp_path / "photos" / "?.png")) == wanted
    assert pictures.spread("plain.png") == ["plain.png"]
    with pytest.raises(FileError, match="names no files"):
        pictures.spread("photos/*.gif")


def test_an_input_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(FileError, match="can't be copied"):
        Pictures(Folders(input=tmp_path / "a.png" / "in"), tmp_path).name("a.png")
