"""Messages as frames and back; whatever comes in, what is wrong with it is data."""

import json
import random
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocol.codec import (
    FORMS,
    LARGEST_MESSAGE,
    Form,
    Frame,
    Unreadable,
    read_command,
    read_message,
    write_command,
    write_message,
)
from server.protocol.commands import COMMANDS, Ping, SessionEdit, SessionOpen, command_name
from server.protocol.edits import SetInput
from server.protocol.messages import Fact, Preview, Reply

JSON, MSGPACK = FORMS["loomis.v1.json"], FORMS["loomis.v1.msgpack"]
BOTH = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def asked(form: Form, **fields: Any) -> Frame:
    return form.dumps(fields)


def refused(frame: Frame, form: Form = JSON) -> Unreadable:
    found = read_command(frame, form)
    assert isinstance(found, Unreadable)
    return found


@BOTH
def test_a_command_comes_through(form: Form) -> None:
    edit = SetInput(op="set", node="3", input="seed", value=7)
    command = SessionEdit(id="a", command="session.edit", session="s", edits=[edit])

    assert read_command(write_command(command, form), form) == command


@BOTH
def test_bytes_stay_bytes(form: Form) -> None:
    command = SessionOpen(id=1, command="session.open", data=b"\x89PNG\0\xff")
    preview = Preview(job="j", node="3", data=b"\xff\xd8\0")

    assert read_command(write_command(command, form), form) == command
    assert read_message(write_message(preview, form), form) == preview


def test_a_json_message_with_bytes_has_a_small_head() -> None:
    frame = write_message(Preview(job="j", node="3", data=b"\xff\xd8"), JSON)
    assert isinstance(frame, bytes)
    (length,) = struct.unpack(">I", frame[:4])

    assert json.loads(frame[4 : 4 + length])["event"] == "preview"
    assert frame[4 + length :] == b"\xff\xd8"


@BOTH
def test_a_message_without_bytes_has_none(form: Form) -> None:
    message = Reply(id=1, result={"a": [1, None, "x"]})

    assert read_message(write_message(message, form), form) == message


@pytest.mark.parametrize(("form", "value", "seen"), [
    (JSON, [float("nan"), float("inf"), 1.0], [None, None, 1.0]),
    (JSON, 2**70, 2**70),
    (JSON, "\ud800", "\ud800"),
    (MSGPACK, 2**70, str(2**70)),
    (MSGPACK, "\ud800", "?"),
])  # fmt: skip
def test_values_that_a_form_does_not_have_are_replaced(form: Form, value: Any, seen: Any) -> None:
    frame = write_message(Reply(id=1, result={"value": value}), form)

    raw = json.loads(frame) if isinstance(frame, str) else msgpack.unpackb(frame)
    assert raw["result"] == {"value": seen}


@pytest.mark.parametrize("frame", [
    "", "{", "NaN", '{"id": 1, "command": "ping", "x": NaN}', "[" * 100_000, "1" * 10_000, '"\\ud800"', b"",
    b"\0\0\0\x09{}",
    b"\xff\xff\xff\xff", b"\0\0\0\2[]",
])  # fmt: skip
def test_what_is_no_json_is_refused(frame: Frame) -> None:
    assert refused(frame).error.code == "bad_message"


@pytest.mark.parametrize("frame", [
    b"", b"\xc1", "text", b"\x91" * 100_000 + b"\0", b"\x91" * 500 + b"\0", b"\xdf\xff\xff\xff\xff", b"\xa2\xff\xfe",
    msgpack.packb({1: 2}), msgpack.packb(msgpack.Timestamp(1)),
])  # fmt: skip
def test_what_is_no_msgpack_is_refused(frame: Frame) -> None:
    assert refused(frame, MSGPACK).error.code == "bad_message"


@BOTH
def test_a_large_message_is_refused(form: Form) -> None:
    found = refused(asked(form, id=1, command="ping", text="x" * LARGEST_MESSAGE), form)

    assert found.error.as_dict()["code"] == "too_large"


def test_an_unknown_command_names_the_nearest() -> None:
    found = refused(asked(JSON, id=7, command="sesion.open"))

    assert (found.id, found.error.code, found.error.expected) == (7, "unknown_command", "session.open")


@pytest.mark.parametrize(("fields", "input"), [
    ({"command": "job.get"}, "job.get.job"),
    ({"command": "job.get", "job": 3}, "job.get.job"),
    ({"command": "ping", "x": 1}, "ping.x"),
    ({"command": 7}, None),
    ({}, None),
    ({"command": "session.edit", "session": "s", "edits": [{"op": "jump"}]}, "session.edit.edits.0"),
    ({"command": "session.edit", "session": "s", "edits": []}, "session.edit.edits"),
    ({"command": "batch.submit", "workflow": {}, "batch": "../x"}, "batch.submit.batch"),
])  # fmt: skip
def test_a_command_with_wrong_fields_says_which(fields: dict[str, Any], input: str | None) -> None:
    found = refused(asked(JSON, id="x", **fields))

    assert (found.id, found.error.code, found.error.input) == ("x", "bad_message", input)


@pytest.mark.parametrize("id", [None, -1, 1.5, True, [], "x" * 101, 2**53])
def test_an_id_that_can_not_be_read_is_null(id: Any) -> None:
    assert refused(asked(JSON, id=id, command="ping")).id is None


def test_names_on_the_wire_are_unique() -> None:
    assert len({command_name(kind) for kind in COMMANDS}) == len(COMMANDS)


def test_defaults_are_not_sent() -> None:
    assert write_command(Ping(id=1, command="ping"), JSON) == '{"id":1,"command":"ping"}'


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
FIELDS = ("id", "session", "edits", "workflow", "job", "jobs", "targets", "since", "node", "digest", "data")
COMMANDLIKE = st.fixed_dictionaries(
    {"command": st.sampled_from([command_name(kind) for kind in COMMANDS])},
    optional=dict.fromkeys(FIELDS, ANYTHING),
)


@given(ANYTHING | COMMANDLIKE, st.binary(max_size=40))
def test_nothing_that_comes_in_raises(value: Any, raw: bytes) -> None:
    read_command(msgpack.packb(value), MSGPACK)
    read_command(json.dumps(value, default=repr), JSON)
    read_command(raw, MSGPACK)
    read_command(raw, JSON)
    read_command(raw.decode("latin-1"), JSON)


@BOTH
def test_mangled_commands_are_read_or_refused(form: Form) -> None:
    chance = random.Random(1)
    edit = {"op": "connect", "node": "3", "input": "model", "source": "4", "output": 0}
    whole = asked(form, id=1, command="session.edit", session="s", edits=[edit] * 3, base=4)
    raw = whole.encode() if isinstance(whole, str) else whole
    for _ in range(2000):
        bent = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            bent[chance.randrange(len(bent))] = chance.randrange(256)
        frame = bytes(bent[: chance.choice([len(bent), chance.randrange(len(bent))])])
        read_command(frame if form is MSGPACK else frame.decode("utf-8", "replace"), form)


def test_a_fact_is_read_as_a_fact() -> None:
    fact = Fact(seq=4, job="j", time=1.5, kind="saved", body={"files": []}, session="s", revision=2, current=True)

    assert read_message(write_message(fact, MSGPACK), MSGPACK) == fact
