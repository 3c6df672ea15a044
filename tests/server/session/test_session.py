"""A session: edits in, states that changed out; what a run is for; where values are."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from engine import Engine
from engine.errors import WorkflowError
from engine.values import pack
from server.protocol.edits import Edit
from server.session.errors import BadEdit, Conflict, NoStep, NotRemembered
from server.session.session import Change, Session
from tests.engine.words import Vocabulary, engine, n

EDITS: TypeAdapter[list[Edit]] = TypeAdapter(list[Edit])
GRAPH = {
    "1": n("Number", value=9),
    "2": n("Divide", a=("1", 0), b=2),
    "3": n("Add", a=("2", 0), b=1),
    "o": n("Show", value=("3", 0)),
    "r": n("Range", count=3),
}


@pytest.fixture
def runner() -> Iterator[Engine]:
    with engine(Vocabulary()) as made:
        yield made


@pytest.fixture
def session(runner: Engine) -> Session:
    return Session("s", runner, runner.load(GRAPH))


def edit(session: Session, *edits: dict[str, Any], base: int | None = None) -> Change:
    return session.edit(EDITS.validate_python(list(edits)), base)


def states(change: Change) -> dict[str, str]:
    return {id: state.state for id, state in change.states.items()}


SET = {"op": "set", "node": "3", "input": "b", "value": 2}


def test_an_edit_answers_with_what_changed(runner: Engine, session: Session) -> None:
    runner.run(GRAPH)
    assert states(session.look()) == {"1": "remembered", "2": "remembered", "3": "remembered", "o": "remembered"}

    change = edit(session, SET)

    assert (change.revision, session.revision) == (2, 2)
    assert states(change) == {"3": "runs", "o": "depends"}
    assert change.states["3"].why == "b changed"
    assert states(edit(session, SET | {"value": 1})) == {"3": "remembered", "o": "remembered"}
    assert session.revision == 3


def test_a_bad_batch_changes_nothing(session: Session) -> None:
    before = dict(session.prompt), dict(session.states)
    with pytest.raises(BadEdit):
        edit(session, SET, {"op": "remove", "node": "9"})

    assert (session.prompt, session.states, session.revision) == (*before, 1)


def test_an_invalid_value_is_a_state_and_no_bad_edit(session: Session) -> None:
    change = edit(session, SET | {"value": "many"})

    assert states(change) == {"3": "invalid", "o": "invalid"}
    assert change.states["3"].faults[0].input == "b"
    assert change.states["o"].blocked_by == ("3",)


def test_an_edit_for_another_revision_is_a_conflict(session: Session) -> None:
    edit(session, SET, base=1)
    with pytest.raises(Conflict):
        edit(session, SET, base=1)


def test_nodes_come_and_go(session: Session) -> None:
    change = edit(session, {"op": "add", "class_type": "Number", "inputs": {"value": 1}}, {"op": "remove", "node": "o"})

    assert (change.added, change.removed, states(change)) == (("4",), ("o",), {"4": "runs"})


def test_a_session_may_begin_and_end_empty(runner: Engine) -> None:
    session = Session("s", runner)
    assert session.states == {}
    edit(session, {"op": "add", "node": "1", "class_type": "Number", "inputs": {"value": 1}})
    assert edit(session, {"op": "remove", "node": "1"}).removed == ("1",)
    assert session.targets(None) == ()


def test_targets_are_outputs_or_what_is_named(session: Session) -> None:
    assert session.targets(None) == ("o",)
    assert session.targets(["Add", "1", "3"]) == ("3", "1")
    edit(session, SET | {"value": "many"})
    assert session.targets(None, partial=True) == ()
    assert session.targets(["1", "3"], partial=True) == ("1",)
    with pytest.raises(WorkflowError):
        session.targets(["9"])


def test_an_aim_is_what_targets_need(session: Session) -> None:
    aim = session.aim(("3",))
    assert set(aim.needs) == {"1", "2", "3"}
    edit(session, {"op": "set", "node": "r", "input": "count", "value": 5})
    assert session.aim(("3",)) == aim
    edit(session, {"op": "set", "node": "1", "input": "value", "value": 8})
    assert session.aim(("3",)) != aim


def test_a_plan_is_that_of_the_engine(runner: Engine, session: Session) -> None:
    assert session.plan(["3"]).steps == runner.plan(GRAPH, targets=["3"]).steps


def test_the_digest_of_a_value(runner: Engine, session: Session) -> None:
    runner.run(GRAPH, targets=["o", "r"])
    session.look()

    assert session.digest("2", 1) == session.digest("Divide", "remainder") == (pack(1).digest, 1)
    assert session.digest("r", 0, 2) == (pack(2).digest, 3)
    for node, output, index in (("2", 2, 0), ("2", "rest", 0), ("r", 0, 3), ("o", 0, 0), ("9", 0, 0)):
        with pytest.raises(WorkflowError):
            session.digest(node, output, index)
    edit(session, SET)
    with pytest.raises(NotRemembered):
        session.digest("3", 0)


def test_a_graph_may_be_too_large(runner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.session.session.MOST_NODES", 5)
    session = Session("s", runner, runner.load(GRAPH))
    with pytest.raises(WorkflowError, match="too large"):
        edit(session, {"op": "add", "class_type": "Number"})

    assert session.revision == 1


def test_a_step_is_undone_and_done_again(session: Session) -> None:
    edit(session, SET)
    edit(session, {"op": "remove", "node": "1"})

    back = session.take(session.undo())
    assert (back.revision, set(back.graph), back.removed) == (4, {"1", "2"}, ())
    assert session.prompt["3"]["inputs"]["b"] == 2
    assert states(back)["1"] == "runs"
    back = session.take(session.undo())
    assert session.prompt == GRAPH and set(back.graph) == {"3"}
    with pytest.raises(NoStep):
        session.undo()
    session.take(session.redo())
    assert session.prompt["3"]["inputs"]["b"] == 2
    assert session.take(session.redo()).removed == ("1",)
    with pytest.raises(NoStep):
        session.redo()


def test_edits_of_one_step_are_undone_together(session: Session) -> None:
    for value in (3, 4, 5):
        session.edit(EDITS.validate_python([SET | {"value": value}]), step="drag")
    session.edit(EDITS.validate_python([SET | {"value": 6}]), step="another")

    session.take(session.undo())
    assert session.prompt["3"]["inputs"]["b"] == 5
    session.take(session.undo())
    assert session.prompt == GRAPH


def test_undo_brings_back_what_was_opened(runner: Engine, session: Session) -> None:
    session.take(session.loaded(runner.load({"1": n("Number", value=1)})))
    assert set(session.prompt) == {"1"}
    session.take(session.undo())
    assert session.prompt == GRAPH


def test_a_change_says_how_nodes_are_written_now(session: Session) -> None:
    assert edit(session, {"op": "remove", "node": "2"}).graph == {"3": n("Add", b=1)}
    assert edit(session, {"op": "add", "class_type": "Number"}).graph == {"4": n("Number")}


def test_a_title_or_a_place_means_nothing_to_a_run(session: Session) -> None:
    aim = session.aim(("o",))
    change = edit(session, {"op": "describe", "node": "1", "title": "Nine", "pos": [3, 4]})

    assert (states(change), set(change.graph)) == ({}, {"1"})
    assert session.aim(("o",)) == aim


def test_an_error_stays_with_its_node_until_it_is_mended(session: Session) -> None:
    error = {"code": "node_failed", "message": "It broke.", "node": "3"}
    session.failed("3", session.aim(("o",)), error)
    assert (set(session.look().states), session.errors) == ({"3"}, {"3": error})
    edit(session, {"op": "set", "node": "r", "input": "count", "value": 5})
    edit(session, {"op": "describe", "node": "1", "title": "Nine"})
    assert session.errors == {"3": error}

    change = edit(session, {"op": "set", "node": "1", "input": "value", "value": 8})
    assert ("3" in change.states, session.errors) == (True, {})
    session.take(session.undo())
    assert session.errors == {"3": error}
    session.went_well("3")
    session.look()
    assert session.errors == {}
