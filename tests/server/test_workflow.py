import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FileError, SettingError
from server.workflow import find_workflows, parse_value, parse_values, typed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("-3", -3),
        ("0.5", 0.5),
        ("1.50", "1.50"),
        ("007", "007"),
        ("1e3", "1e3"),
        ("true", "true"),
        ("null", "null"),
        ("NaN", "NaN"),
        ("[NaN]", "[NaN]"),
        ("-Infinity", "-Infinity"),
        ("", ""),
        ("a fox", "a fox"),
        ('"20"', "20"),
        ('["4", 0]', ["4", 0]),
        ('{"a": 1}', {"a": 1}),
        ("{a}", "{a}"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_value_is_json_or_text(text, value):
    found = parse_value(text)
    assert (type(found), found) == (type(value), value)


@given(st.text())
def test_what_is_not_quoted_or_bracketed_reads_as_it_was_written(text):
    assert text.lstrip().startswith(('"', "[", "{")) or str(parse_value(text)) == text


@given(st.recursive(st.integers() | st.text(), st.lists))
def test_json_comes_through(value):
    assert parse_value(json.dumps(value)) == value


def test_settings_become_parameters():
    found = parse_values(["3.seed=42", "6.text=a = b", "My node.v2.steps=8", "3.seed=43"])
    assert found == {"3.seed": 43, "6.text": "a = b", "My node.v2.steps": 8}


@pytest.mark.parametrize("setting", ["3.seed", "=3", "=", ""])
def test_a_setting_of_another_form(setting):
    with pytest.raises(SettingError) as caught:
        parse_values([setting])
    assert caught.value.expected == "NAME=VALUE"


def test_folders_are_searched(tmp_path):
    for name in ("a.json", "sub/b.PNG", "sub/c.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = find_workflows([str(tmp_path), str(tmp_path / "a.json"), "missing.json"])
    assert [(each.place.as_posix(), each.found) for each in found] == [
        ("a.json", True),
        ("sub/b.PNG", True),
        ("a.json", False),
        ("missing.json", False),
    ]


def test_a_folder_without_workflows(tmp_path):
    with pytest.raises(FileError, match="has no workflows"):
        find_workflows([str(tmp_path)])


def test_typed():
    assert (typed({"3": "KSampler"}, "3"), typed({}, "3")) == ("3 KSampler", "3")
