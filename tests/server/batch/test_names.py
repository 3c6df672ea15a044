from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingError
from server.batch.names import Names, file_names


@pytest.mark.parametrize(
    ("text", "root", "pattern"),
    [
        ("dir/{row}-{seed}.png", "dir", "{row}-{seed}.png"),
        ("/a/b/{kind}/{row}", "/a/b", "{kind}/{row}"),
        ("{row}.png", ".", "{row}.png"),
        ("dir", "dir", "{row}"),
        ("a/b", "a/b", "{row}"),
    ],
)
def test_the_folders_before_the_first_field_are_the_root(text, root, pattern):
    assert Names.parse(text) == Names(Path(root), pattern)


@pytest.mark.parametrize(
    ("out", "free"),
    [
        ("d", "d-2"),
        ("a/d/{row}", "a/d-2"),
        ("d/{seed} {cfg}.png", "'d-2/{seed} {cfg}.png'"),
        ("{seed}.png", "'batch-2/{seed}.png'"),
        ("/d/{row}", "/d-2"),
        ("taken", "taken-3"),
    ],
)
def test_who_can_not_have_a_folder_hears_of_one_that_is_free(tmp_path, monkeypatch, out, free):
    (tmp_path / "taken-2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Names.parse(out).advice().endswith(f" --out {free}")


def test_a_free_folder_of_a_server_is_told_below_its_output(tmp_path):
    (tmp_path / "d-2").mkdir()
    assert Names(tmp_path / "d", "{row}", tmp_path).advice().endswith(" --out d-3")


def test_each_row_has_its_name():
    rows = [{"seed": seed, "p": "a/b: c"} for seed in range(9, 12)]
    assert Names.parse("d/{row}-{seed:03}-{p}.png").stems(rows) == ["1-009-a_b_ c", "2-010-a_b_ c", "3-011-a_b_ c"]
    assert Names.parse("d").stems([{}] * 11)[0] == "01"
    assert Names.parse("d/{row}").stems([{"row": 7}])[0] == "1"


def test_two_rows_may_not_share_a_name():
    with pytest.raises(SettingError, match="Rows 1 and 3 would both be X"):
        Names.parse("d/{a}.png").stems([{"a": "x"}, {"a": "y"}, {"a": "X"}])


@pytest.mark.parametrize(
    "text",
    [
        "d/{row",
        "d/{row.__class__}/{}",
        "d/{a[0]}",
        "d/{}",
        "{row}/../x",
        "d/{a!r:{b}}",
        "d/{a:2000000000}",
        "d/{a:.81f}",
        f"d/{{a:{'9' * 5000}}}",
    ],
)
def test_what_is_no_pattern(text):
    with pytest.raises(SettingError):
        Names.parse(text)


def test_a_field_without_a_value_is_told_with_the_nearest():
    with pytest.raises(SettingError) as caught:
        Names.parse("d/{sed}").check(["seed", "cfg"])
    assert caught.value.expected == "seed"


def test_a_format_that_does_not_fit():
    with pytest.raises(SettingError, match="can't be written"):
        Names.parse("d/{a:03d}").stems([{"a": "x"}])


def test_a_name_is_no_longer_than_files_can_have():
    assert Names.parse("d/{row:080}").stems([{}]) == ["0" * 79 + "1"]
    with pytest.raises(SettingError, match="more than 1000 characters"):
        Names.parse("d/" + "{a}" * 13).stems([{"a": "x" * 80}])


@given(st.text())
def test_no_value_leaves_the_folder_or_is_empty(value):
    (stem,) = Names.parse("d/{a}").stems([{"a": value}])
    assert stem and "/" not in stem and "\\" not in stem and stem not in (".", "..") and "\0" not in stem
    assert len(stem) <= 80


def test_more_files_of_a_row_are_counted():
    assert file_names("a", [".png", ".png", ".latent"]) == ["a.png", "a-2.png", "a-3.latent"]
