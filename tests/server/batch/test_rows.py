import io

import pytest

from engine.errors import FileError, InputError
from server.batch.rows import read_rows


def write(tmp_path, name, text):
    (tmp_path / name).write_text(text, newline="")
    return str(tmp_path / name)


def test_csv_has_names_in_its_first_line(tmp_path):
    source = write(tmp_path, "r.csv", '\ufefftext,seed, cfg\n"a fox, red",1,2.5\r\n\r\n"two\nlines",007,\n')
    rows = read_rows(source, None)
    assert [row.values for row in rows] == [
        {"text": "a fox, red", "seed": 1, "cfg": 2.5},
        {"text": "two\nlines", "seed": "007"},
    ]
    assert [row.origin for row in rows] == ["line 2 of r.csv", "line 5 of r.csv"]


def test_a_line_of_another_length_is_a_fault_and_the_rest_is_read(tmp_path):
    rows = read_rows(write(tmp_path, "r.csv", "a,b\n1,2\n1,2,3\n4,5\n"), None)
    assert [dict(row.values) for row in rows] == [{"a": 1, "b": 2}, {}, {"a": 4, "b": 5}]
    assert rows[1].origin == "line 3 of r.csv" and "3 values" in rows[1].fault.message


def test_json_lines(tmp_path):
    rows = read_rows(write(tmp_path, "r.jsonl", '{"a": 1}\n\n{"a": \n[1]\n{"a": "x"}\n'), None)
    assert [(dict(row.values), row.fault is None) for row in rows] == [
        ({"a": 1}, True), ({}, False), ({}, False), ({"a": "x"}, True),
    ]  # fmt: skip
    assert [row.origin for row in rows][1:3] == ["line 3 of r.jsonl", "line 4 of r.jsonl"]


def test_standard_input_is_json_lines(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 1}\n'))
    assert [row.values for row in read_rows("-", None)] == [{"a": 1}]


def test_a_folder_gives_its_pictures(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt"):
        (tmp_path / name).touch()
    rows = read_rows(str(tmp_path), "5.image")
    assert [(row.values["5.image"], row.origin) for row in rows] == [
        (str(tmp_path / "a.JPG"), "a.JPG"),
        (str(tmp_path / "b.png"), "b.png"),
    ]
    with pytest.raises(InputError, match="no single input"):
        read_rows(str(tmp_path), None)


@pytest.mark.parametrize("name", ["none.csv", "empty.csv", "empty.jsonl", "binary.csv"])
def test_what_has_no_rows(tmp_path, name):
    write(tmp_path, "empty.csv", "a,b\n")
    write(tmp_path, "empty.jsonl", "\n")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(FileError):
        read_rows(str(tmp_path / name), None)
