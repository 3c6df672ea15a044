import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.errors import (
    Cancelled,
    Fault,
    FileError,
    InputError,
    JobConflict,
    JobError,
    LoomisError,
    NoSuchJob,
    StoreError,
    ValidationError,
    WorkflowError,
)  # fmt: skip
from server.app.answers import STATUSES, Raw, answer, error_answer, http_answer, mistake_answer
from server.files.errors import FileConflict, FileTooLarge, NoRoom, NoSuchFile

REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})


@pytest.mark.parametrize(("kind", "status"), [
    (NoSuchJob, 404), (JobConflict, 409), (JobError, 409), (NoSuchFile, 404), (FileConflict, 409),
    (FileTooLarge, 413), (NoRoom, 507), (FileError, 422), (WorkflowError, 422), (InputError, 422), (StoreError, 503),
    (Cancelled, 500),
])  # fmt: skip
def test_an_error_has_its_status_and_says_what_to_do(kind: type[LoomisError], status: int):
    told = error_answer(REQUEST, kind("It is so.", got=5, hint="Do this."))
    assert told.status_code == status
    assert json.loads(told.body) == {
        "error": {"code": kind.code, "message": "It is so.", "got": "5", "hint": "Do this."}
    }


def test_the_narrower_kind_comes_first():
    kinds = [kind for kind, _ in STATUSES]
    assert all(not issubclass(later, earlier) for at, earlier in enumerate(kinds) for later in kinds[at + 1 :])


def test_every_fault_of_a_workflow_is_told():
    told = json.loads(
        error_answer(REQUEST, ValidationError([Fault("a", "first"), Fault("b", "second", node="3")])).body
    )
    assert told["error"]["faults"] == [
        {"code": "a", "message": "first"},
        {"code": "b", "message": "second", "node": "3"},
    ]


def test_what_the_framework_refuses_has_the_same_form():
    told = http_answer(REQUEST, HTTPException(405, headers={"allow": "GET"}))
    assert (told.status_code, told.headers["allow"]) == (405, "GET")
    assert json.loads(told.body)["error"]["code"] == "method_not_allowed"


def test_a_mistake_says_nothing_of_itself():
    told = mistake_answer(REQUEST, ValueError("/secret/path"))
    assert told.status_code == 500
    assert b"secret" not in told.body


def test_data_is_json():
    assert answer({"a": [1, None]}, 201).body == b'{"a":[1,null]}'


def test_what_is_json_already_goes_into_an_answer_as_it_is():
    text = b'{"a": [1, "\\u0000"],   "b": 18446744073709551615}'
    data = {"one": Raw(text), "list": [Raw(b"{}"), "x", Raw(text)], "other": KeyError}
    body = bytes(answer(data).body)
    assert text in body and json.loads(body) == {
        "one": json.loads(text), "list": [{}, "x", json.loads(text)], "other": "<class 'KeyError'>",
    }  # fmt: skip
    assert answer(Raw(text)).body == text
