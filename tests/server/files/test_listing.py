import os

import pytest

from engine.errors import FileError
from server.files.listing import newest


def test_the_newest_comes_first_and_hidden_files_and_links_out_never(tmp_path):
    root = tmp_path / "output"
    (root / "sub" / ".git").mkdir(parents=True)
    for time, name in enumerate(["b.png", "sub/a.png", "c.png", ".part", "sub/.git/config", "../secret"]):
        (root / name).write_bytes(b"x" * time)
        os.utime(root / name, (time, time))
    (root / "out.png").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "again.png").symlink_to(root / "b.png")
    (root / "gone.png").symlink_to(root / "nowhere")
    assert [(file.name, file.size, file.modified) for file in newest(root)] == [
        ("c.png", 2, 2.0), ("sub/a.png", 1, 1.0), ("again.png", 0, 0.0), ("b.png", 0, 0.0),
    ]  # fmt: skip
    assert [file.name for file in newest(root, "sub")] == ["sub/a.png"]
    assert newest(root, "nowhere") == []
    assert newest(tmp_path / "nowhere") == []
    for below in ("..", "folder", "/"):
        with pytest.raises(FileError):
            newest(root, below)
