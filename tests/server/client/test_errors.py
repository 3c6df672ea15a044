"""Errors of a server as exceptions."""

from engine.errors import FileError, LoomisError, ValidationError
from server.client.errors import to_error
from server.protocol.parts import ErrorData, FaultData


def test_an_error_is_of_the_kind_that_it_was() -> None:
    error = to_error(ErrorData.of(FileError("gone", node="3", got="a.png", hint="Put it back.")))

    assert type(error) is FileError
    assert error.as_dict() == {"code": "file", "message": "gone", "node": "3", "got": "a.png", "hint": "Put it back."}


def test_faults_are_a_validation_error() -> None:
    error = to_error(ErrorData(code="invalid_workflow", message="x", faults=(FaultData(code="a", message="m"),)))

    assert isinstance(error, ValidationError) and error.faults[0].message == "m"


def test_a_kind_that_is_not_known_keeps_its_code() -> None:
    error = to_error(ErrorData(code="new_kind", message="m"))

    assert type(error) is LoomisError and error.as_dict() == {"code": "new_kind", "message": "m"}
    assert LoomisError("x").code == "error"
