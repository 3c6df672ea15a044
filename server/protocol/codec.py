"""Messages as frames of a WebSocket, and back.

A subprotocol says which form both sides use. ``loomis.v1.msgpack``: every message is one binary frame of msgpack, bytes
are bytes. ``loomis.v1.json``: a message is one text frame of JSON; one with bytes (a preview, a picture, a file) is one
binary frame: four bytes of length (big endian), so many bytes of JSON, then the bytes that belong under ``data``.
"""

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgpack
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from engine.errors import shortened
from engine.spelling import nearest
from server.protocol.commands import COMMANDS, AnyCommand, Command, command_name
from server.protocol.errors import MessageError, TooLarge, UnknownCommand
from server.protocol.messages import AnyMessage, Message
from server.protocol.model import RequestId

LARGEST_MESSAGE = 16 * 2**20
"""Bytes of a message from a client."""

DEEPEST = 150
"""Levels of lists and objects in a message."""

Frame = str | bytes


class Form(NamedTuple):
    """One byte form of messages. ``loads`` raises ValueError where a frame has another form."""

    dumps: Callable[[dict[str, Any]], Frame]
    loads: Callable[[Frame], Any]


# JSON


def _json_dumps(message: dict[str, Any]) -> Frame:
    data = message.pop("data", None)
    if data is None:
        return _json_text(message)
    text = _json_text(message).encode()
    return b"".join((len(text).to_bytes(4, "big"), text, data))


def _json_text(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    """Return a value with null in the place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json_loads(frame: Frame) -> Any:
    if isinstance(frame, str):
        return from_json(frame, allow_inf_nan=False)
    end = 4 + int.from_bytes(frame[:4], "big")
    if len(frame) < end:
        raise ValueError(f"a binary frame says that it begins with {end - 4} bytes of JSON and has {len(frame)}")
    message = from_json(frame[4:end], allow_inf_nan=False)
    if isinstance(message, dict):
        message["data"] = frame[end:]
    return message


# msgpack


def _msgpack_dumps(message: dict[str, Any]) -> Frame:
    if message.get("data", ...) is None:
        del message["data"]
    packed: bytes
    try:
        packed = msgpack.packb(message, unicode_errors="replace")
    except (OverflowError, ValueError):
        packed = msgpack.packb(_in_64_bits(message), unicode_errors="replace")
    return packed


def _in_64_bits(value: Any) -> Any:
    """Return a value with texts in the place of whole numbers that msgpack does not have."""
    if isinstance(value, dict):
        return {name: _in_64_bits(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_64_bits(item) for item in value]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value


def _msgpack_loads(frame: Frame) -> Any:
    if isinstance(frame, str):
        raise ValueError("a text frame, where every message is a binary frame of msgpack")
    message = msgpack.unpackb(frame)
    stack = [(message, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict | list):
            if depth > DEEPEST:
                raise ValueError(f"it nests deeper than {DEEPEST} levels")
            stack += [(part, depth + 1) for part in (item.values() if isinstance(item, dict) else item)]
    return message


FORMS: Mapping[str, Form] = {
    "loomis.v1.json": Form(_json_dumps, _json_loads),
    "loomis.v1.msgpack": Form(_msgpack_dumps, _msgpack_loads),
}
"""The subprotocols. The first is used where a client names none."""

# Commands and messages


@cache
def _commands() -> TypeAdapter[Command]:
    return TypeAdapter(AnyCommand)


@cache
def _messages() -> TypeAdapter[Message]:
    return TypeAdapter(AnyMessage)


@cache
def _request_id() -> TypeAdapter[Any]:
    return TypeAdapter(RequestId)


class Unreadable(NamedTuple):
    """A frame that is no command, the id that it has if it has one, and what is wrong with it."""

    id: Any
    error: MessageError


def read_command(frame: Frame, form: Form) -> Command | Unreadable:
    """Return the command in a frame. Never raises: what is wrong with a frame is what the client has to hear."""
    if len(frame) > LARGEST_MESSAGE:
        return Unreadable(None, TooLarge(
            "The message is too large.",
            got=f"{len(frame)} bytes",
            expected=f"at most {LARGEST_MESSAGE} bytes",
            hint="Send large files to the input folder and name them.",
        ))  # fmt: skip
    try:
        raw = form.loads(frame)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        return Unreadable(None, MessageError(
            f"The message can't be read: {shortened(str(error))}",
            got=shortened(frame if isinstance(frame, str) else repr(frame[:60])),
            expected="an object in the form that the subprotocol says",
            hint="See the protocol's documentation.",
        ))  # fmt: skip
    try:
        return _commands().validate_python(raw)
    except ValidationError as error:
        return Unreadable(_id_of(raw), _wrong(raw, error))


def _id_of(raw: Any) -> Any:
    try:
        return _request_id().validate_python(raw["id"], strict=True)
    except (ValidationError, TypeError, LookupError):
        return None


def _wrong(raw: Any, error: ValidationError) -> MessageError:
    names = [command_name(kind) for kind in COMMANDS]
    name = raw.get("command") if isinstance(raw, dict) else None
    if isinstance(name, str) and name not in names:
        near = nearest(name, names)
        return UnknownCommand(
            f"There is no command {shortened(name)!r}.",
            got=name,
            expected=near or names,
            hint=f"Did you mean {near}?" if near else "Use one of these.",
        )
    issue = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in issue["loc"])
    return MessageError(
        f"{shortened(where) or 'The message'}: {issue['msg']}.",
        input=shortened(where) or None,
        got=shortened(issue["input"]),
        expected="an object with id, command and the fields of the command",
        hint="See the protocol's documentation.",
    )


def write_message(message: Message, form: Form) -> Frame:
    """Return the frame of a message."""
    return form.dumps(message.model_dump())


def write_command(command: Command, form: Form) -> Frame:
    """Return the frame of a command. What has its default is left out."""
    return form.dumps(command.model_dump(exclude_defaults=True) | {"command": command_name(type(command))})


def read_message(frame: Frame, form: Form) -> Message:
    """Return the message in a frame.

    Raises:
        MessageError: it is none.
    """
    try:
        return _messages().validate_python(form.loads(frame))
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MessageError(f"The server sent what is no message: {shortened(str(error))}") from error
