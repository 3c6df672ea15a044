from engine.folders import Folders
from engine.shown_files import is_file, shown_files

VIDEO = {"filename": "a.mp4", "subfolder": "clips", "type": "output", "format": "video/h264-mp4"}


def test_files_are_told_from_other_things_that_are_shown():
    notes = {"gifs": [VIDEO, "words"], "text": [{"filename": "a.mp4", "type": "output"}, {**VIDEO, "subfolder": 3}]}
    folders = Folders()
    assert list(shown_files(notes, folders)) == [("gifs", VIDEO, folders.output / "clips" / "a.mp4")]
    assert not is_file({**VIDEO, "type": ["output"]}) and not is_file({**VIDEO, "type": "elsewhere"})
