"""Ten thousand commands and graphs that make little sense: no exception but an error that is told, and no growth."""

import gc
import json
import random
from typing import Any

import pytest

from engine import Engine
from engine.errors import LoomisError
from server.protocol.codec import FORMS, Unreadable, read_command
from server.protocol.commands import (
    Command,
    SessionEdit,
    SessionLoad,
    SessionOpen,
    SessionPlan,
    SessionRedo,
    SessionRun,
    SessionUndo,
)
from server.protocol.parts import ErrorData, nodes_data
from server.session.session import Session
from tests.engine.words import Vocabulary, engine

JSON = FORMS["loomis.v1.json"]
TYPES = (
    "Number",
    "Add",
    "Half",
    "Divide",
    "Range",
    "Sum",
    "Switch",
    "Gate",
    "Show",
    "Save",
    "Double",
    "Weights",
    "Nope",
)
INPUTS = ("value", "a", "b", "text", "condition", "open", "count", "values", "name", "prefix", "", "__value__")
OPS = ("set", "unset", "connect", "disconnect", "add", "remove", "replace", "describe", "jump")
MOST_NODES = 12


class Fuzz:
    """Makes what makes little sense."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def id(self) -> Any:
        return self.chance.choice(["1", "2", "3", "4", "5", "6", "x", "", 7, None])

    def value(self, depth: int = 0) -> Any:
        plain = [
            0, -1, 2**63, 2**70, 1.5, 1e308, True, None, "", "text", "\u2028", "../../etc/passwd", [self.id(), 0],
            [self.id(), -1], [self.id(), 1.5], [], {}, {"__value__": ["1", 0]}, {"__value__": None},
        ]  # fmt: skip
        if depth < 3 and self.chance.random() < 0.2:
            inner = [self.value(depth + 1) for _ in range(self.chance.randint(0, 3))]
            return self.chance.choice([inner, {str(index): item for index, item in enumerate(inner)}])
        return self.chance.choice(plain)

    def node(self) -> Any:
        if self.chance.random() < 0.05:
            return self.value()
        inputs = {self.chance.choice(INPUTS): self.value() for _ in range(self.chance.randint(0, 4))}
        return {"class_type": self.chance.choice(TYPES), "inputs": inputs}

    def graph(self) -> Any:
        if self.chance.random() < 0.05:
            return self.value()
        return {str(self.id()): self.node() for _ in range(self.chance.randint(0, 6))}

    def edit(self) -> Any:
        edit = {
            "op": self.chance.choice(OPS), "node": self.id(), "input": self.chance.choice(INPUTS),
            "value": self.value(),
            "source": self.id(), "output": self.chance.choice([0, 0, 1, "quotient", -1, 2**40]),
            "class_type": self.chance.choice(TYPES),
            "title": self.chance.choice(["", "A", 3]), "pos": self.chance.choice([[0, 1.5], [1], None]),
        }  # fmt: skip
        fields = {
            "set": ("node", "input", "value"), "unset": ("node", "input"), "disconnect": ("node", "input"),
            "connect": ("node", "input", "source", "output"), "add": ("node", "class_type"), "remove": ("node",),
            "replace": ("node", "class_type"), "describe": ("node", "title", "pos"),
        }.get(edit["op"], tuple(edit))  # fmt: skip
        kept = {name: edit[name] for name in ("op", *fields)}
        if self.chance.random() < 0.05:
            kept.pop(self.chance.choice(list(kept)))
        return kept

    def command(self) -> Any:
        others = ["session.open", "session.load", "session.plan", "session.run", "session.undo", "session.redo"]
        kind = self.chance.choice(["session.edit"] * 10 + others)
        message: dict[str, Any] = {"id": 1, "command": kind}
        match kind:
            case "session.edit":
                edits = [self.edit() for _ in range(self.chance.randint(1, 3))]
                message |= {"session": "s", "edits": edits, "step": self.chance.choice([None, "a", 3])}
            case "session.undo" | "session.redo":
                message |= {"session": "s"}
            case "session.open":
                message |= {"workflow": self.graph()}
            case "session.load":
                message |= {"session": "s", "workflow": self.graph()}
            case _:
                message |= {"session": "s", "targets": self.chance.choice([None, [], ["1"], ["Show"], [self.id()]])}
        return message


def do(session: Session, engine: Engine, command: Command) -> Session:
    """Do what a command asks of a session, as a connection does."""
    match command:
        case SessionOpen(workflow=workflow):
            session = Session("s", engine, None if workflow is None else engine.load(workflow))
        case SessionLoad(workflow=workflow):
            session.take(session.loaded(None if workflow is None else engine.load(workflow)))
        case SessionEdit(edits=edits, base=base, step=step):
            session.edit(edits, base, step)
        case SessionUndo():
            session.take(session.undo())
        case SessionRedo():
            session.take(session.redo())
        case SessionPlan(targets=targets):
            session.plan(targets)
        case SessionRun(targets=targets):
            session.aim(session.targets(targets))
    return session


def fuzz(seed: int, count: int) -> list[int]:
    """Send ``count`` commands; return how many objects there were after each tenth of them."""
    objects = []
    told = {"done": 0, "refused": 0, "unreadable": 0}
    making = Fuzz(seed)
    with engine(Vocabulary()) as runner:
        session = Session("s", runner)
        for number in range(count):
            command = read_command(json.dumps(making.command()), JSON)
            if isinstance(command, Unreadable):
                told["unreadable"] += 1
                ErrorData.of(command.error)
                continue
            before = session.revision, session.prompt
            try:
                session = do(session, runner, command)
                told["done"] += 1
            except LoomisError as error:
                told["refused"] += 1
                assert ErrorData.of(error).message
                assert (session.revision, session.prompt) == before
            assert session.states.keys() == session.prompt.keys()
            nodes_data(session.states, session.errors)
            if len(session.prompt) > MOST_NODES:
                session = Session("s", runner)
            if number % (count // 10) == 0:
                gc.collect()
                objects.append(len(gc.get_objects()))
    assert min(told.values()) > count / 20, told
    return objects


def grows(objects: list[int]) -> bool:
    """Whether there are more objects in the end than after a warm-up."""
    return min(objects[-3:]) > 1.02 * max(objects[1:4])


def test_ten_thousand_commands() -> None:
    """Takes some seconds: ten thousand is what is promised."""
    assert not grows(fuzz(1, 10_000))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_hundred_thousand_commands(seed: int) -> None:
    assert not grows(fuzz(seed, 10_000))
