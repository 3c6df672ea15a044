"""Errors of a server as exceptions.

LoomisError
└── Unreachable        the server is not there, does not let this client in, or is gone
"""

from collections.abc import Iterator

from engine.errors import Fault, LoomisError, ValidationError
from server.protocol.parts import ErrorData


class Unreachable(LoomisError):
    code = "unreachable"


def to_error(told: ErrorData) -> LoomisError:
    """Return the exception that the server had. One of a kind that is not known here is a LoomisError of its code."""
    if told.faults:
        return ValidationError([Fault(**fault.model_dump()) for fault in told.faults])
    kind = next((kind for kind in _kinds(LoomisError) if kind.code == told.code), LoomisError)
    error = kind.__new__(kind)
    LoomisError.__init__(
        error,
        told.message,
        node=told.node,
        class_type=told.class_type,
        input=told.input,
        got=told.got,
        expected=told.expected,
        hint=told.hint,
    )
    error.code = told.code
    return error


def _kinds(kind: type[LoomisError]) -> Iterator[type[LoomisError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)
