"""Packs in folders."""

import os
from pathlib import Path

import pytest

from engine.errors import FileError, SettingError
from nodes.packs.find import LARGE, Pack, find_packs


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_packs_are_folders_with_an_init_and_single_files(tmp_path: Path) -> None:
    for name in ("b/__init__.py", "a.py", "off.disabled/__init__.py", "_private/__init__.py", ".git/x.py", "doc/x.md"):
        write(tmp_path / name)
    assert [(pack.name, pack.file.name) for pack in find_packs([tmp_path])] == [("a", "a.py"), ("b", "__init__.py")]
    assert [pack.name for pack in find_packs([tmp_path / "b"])] == ["b"]


def test_the_first_of_two_packs_with_one_name_counts(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1/p/__init__.py"), write(tmp_path / "2/p/__init__.py")
    assert [pack.path for pack in find_packs([tmp_path / "2", tmp_path / "1"])] == [two.parent]
    assert one.is_file()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is not there"):
        find_packs([tmp_path / "nowhere"])


def test_the_digest_covers_names_and_contents_of_files(tmp_path: Path) -> None:
    def digest() -> str:
        return Pack("p", tmp_path).digest

    write(tmp_path / "__init__.py", "a = 1")
    digests = [digest()]
    for name, text in (("sub/x.py", ""), ("__init__.py", "a = 2"), ("sub/x.py", "b"), ("styles.json", "1"),
                       ("styles.json", "2"), ("luts/warm.cube", "3")):  # fmt: skip
        write(tmp_path / name, text)
        digests.append(digest())
    (tmp_path / "sub/x.py").rename(tmp_path / "sub/y.py")
    digests.append(digest())
    assert len(set(digests)) == 8
    for name in ("__pycache__/x.py", ".git/x.py", "output/a.png", "run.log", ".cache"):
        write(tmp_path / name, "1")
    assert digest() == digests[-1]


def test_of_large_files_size_and_time_count(tmp_path: Path) -> None:
    large = write(tmp_path / "weights.bin", "x" * (LARGE + 1))
    before = Pack("p", tmp_path).digest
    assert Pack("p", tmp_path).digest == before
    os.utime(large, ns=(1, 1))
    assert Pack("p", tmp_path).digest != before


def test_a_source_that_changed_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "__init__.py", "a = 1")
    pack = Pack("p", tmp_path)
    assert pack.digest
    pack.check(source)
    pack.check(write(tmp_path / "made.py", "b = 1"))
    write(source, "a = 2")
    with pytest.raises(FileError, match=r"__init__\.py of the node pack p has changed since Loomis started"):
        pack.check(source)
