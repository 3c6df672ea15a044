import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FileError, SettingError
from engine.model_map import ModelMap
from server.workflow import find_workflows, parse_model_map, parse_value, parse_values, typed


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
    assert [(each.place.as_posix(), each.found) for each in found.files] == [
        ("a.json", True),
        ("sub/b.PNG", True),
        ("a.json", False),
        ("missing.json", False),
    ]


def test_folders_that_are_hidden_or_hold_programs_are_passed_over_and_told(tmp_path):
    for name in ("a/b.json", ".venv/x.json", "env/x.json", "a/node_modules/p/x.json", ".hidden/x.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    search = find_workflows([str(tmp_path)])
    assert [each.place.as_posix() for each in search.files] == ["a/b.json"]
    skipped = [path.relative_to(tmp_path).as_posix() for path in search.skipped]
    assert skipped == [".hidden", ".venv", "env", "a/node_modules"]
    assert "hold programs: 4 (" in search.note and search.note.endswith(", ...)")
    named = find_workflows([str(tmp_path / ".hidden"), str(tmp_path / "env" / "x.json")])
    assert len(named.files) == 2 and named.note is None


def test_a_folder_without_workflows(tmp_path):
    with pytest.raises(FileError, match="has no workflows"):
        find_workflows([str(tmp_path)])


def test_typed():
    assert (typed({"3": "KSampler"}, "3"), typed({}, "3")) == ("3 KSampler", "3")


def test_a_model_map_is_pairs_or_a_file(tmp_path):
    (tmp_path / "map.json").write_text('{"a.ckpt": "b.safetensors", "x": "y"}')
    found = parse_model_map(["v1.5=sub/mine.safetensors", str(tmp_path / "map.json")], True)
    assert found == ModelMap({"v1.5": "sub/mine.safetensors", "a.ckpt": "b.safetensors", "x": "y"}, True)
    assert parse_model_map(None, False) == ModelMap()


@pytest.mark.parametrize("text", ["=b", "a=", "list.json", "text.json", "number.json"])
def test_what_is_no_model_map(tmp_path, text):
    for name, content in (("list.json", "[1]"), ("text.json", "a"), ("number.json", '{"a": 1}')):
        (tmp_path / name).write_text(content)
    with pytest.raises(SettingError):
        parse_model_map([text if "=" in text else str(tmp_path / text)], False)
    with pytest.raises(FileError, match="can't be opened"):
        parse_model_map([str(tmp_path / "none.json")], False)
