import io
import json
from pathlib import Path

import pytest

from engine.errors import WorkflowError
from server.pipeline import Piped, read_runs
from tests.server.conftest import SAVED, WORKFLOW


def runs(text):
    return list(read_runs(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    "text", [json.dumps(WORKFLOW, indent=1), "\n" + json.dumps(WORKFLOW), "", "text\nmore", "[1]\n"]
)
def test_what_does_not_begin_with_an_object_is_one_document(text):
    assert runs(text) == [Piped(text.encode())]


def test_each_line_is_a_run():
    lines = [
        WORKFLOW,
        SAVED,
        {"file": "a.json"},
        {"file": "a.json", "set": {"seed": 1}},
        {"workflow": SAVED, "set": {}},
    ]
    assert runs("\n\n".join(map(json.dumps, lines))) == [
        Piped(WORKFLOW, {}, 1),
        Piped(SAVED, {}, 3),
        Piped(Path("a.json"), {}, 5),
        Piped(Path("a.json"), {"seed": 1}, 7),
        Piped(SAVED, {}, 9),
    ]


def test_a_body_of_a_request_is_a_workflow():
    body = {"prompt": WORKFLOW, "workflow": SAVED}
    assert runs(json.dumps(body)) == [Piped(body, {}, 1)]


@pytest.mark.parametrize("line", ["text", "[1]", '{"set": {}}', '{"file": 1}', '{"file": "a", "set": 1}', "[" * 10**5])
def test_a_line_that_means_nothing_is_an_error_in_its_place(line):
    first, error, last = runs(f'{{"file": "a"}}\n{line}\n{{"file": "b"}}')
    assert isinstance(error, WorkflowError) and "Line 2" in error.message
    assert (first.line, last.line) == (1, 3)


def test_lines_are_read_as_they_come():
    class Stream(io.BytesIO):
        def __next__(self):
            raise AssertionError("read ahead")

    found = read_runs(Stream(b'{"file": "a"}\n{"file": "b"}\n'))
    assert next(found).source == Path("a")
