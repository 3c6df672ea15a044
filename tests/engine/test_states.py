"""The state of every node while a graph is edited."""

from pathlib import Path
from typing import Any

from engine import Engine
from engine.graph import Graph, read_graph
from engine.states import NodeState, node_states
from engine.values import pack
from tests.engine.words import Vocabulary, engine, n

CHAIN = {
    "1": n("Number", value=8),
    "2": n("Half", a=("1", 0)),
    "3": n("Add", a=("2", 0), b=1),
    "o": n("Show", value=("3", 0)),
}


def look(engine: Engine, prompt: dict[str, Any]) -> dict[str, NodeState]:
    graph = read_graph(prompt) if prompt else Graph({})
    engine.memo.refresh()
    return node_states(graph, engine.registry, engine.folders, engine.memo, engine.settings.profile)


def states(engine: Engine, prompt: dict[str, Any]) -> dict[str, str]:
    return {id: state.state for id, state in look(engine, prompt).items()}


def test_a_node_runs_is_remembered_or_depends() -> None:
    with engine(Vocabulary()) as runner:
        assert states(runner, CHAIN) == {"1": "runs", "2": "depends", "3": "depends", "o": "depends"}
        runner.run(CHAIN)
        assert states(runner, CHAIN) == dict.fromkeys(CHAIN, "remembered")
        edited = CHAIN | {"3": n("Add", a=("2", 0), b=2)}
        found = look(runner, edited)

    assert {id: state.state for id, state in found.items()} == {
        "1": "remembered", "2": "remembered", "3": "runs", "o": "depends",
    }  # fmt: skip
    assert found["3"].why == "b changed"
    assert found["2"].outputs == ((pack(4).digest,),)
    assert found["3"].outputs == ()


def test_nodes_that_no_output_needs_have_a_state_too() -> None:
    with engine(Vocabulary()) as runner:
        assert states(runner, {"1": n("Number", value=1)}) == {"1": "runs"}
        assert states(runner, {}) == {}


def test_an_invalid_node_has_its_faults_and_blocks_what_is_below() -> None:
    broken = CHAIN | {"2": n("Half", a="many"), "x": n("Number", value=3), "y": n("Nmber", value=3)}
    with engine(Vocabulary()) as runner:
        found = look(runner, broken)

    assert {id for id, state in found.items() if state.state != "invalid"} == {"1", "x"}
    assert [fault.code for fault in found["2"].faults] == ["invalid_input_type"]
    assert (found["3"].faults, found["3"].blocked_by) == ((), ("2",))
    assert found["o"].blocked_by == ("3",)
    assert [fault.code for fault in found["y"].faults] == ["missing_node_type"]


def test_what_is_below_an_unknown_type_is_blocked() -> None:
    with engine(Vocabulary()) as runner:
        found = look(runner, {"1": n("Nmber", value=3), "2": n("Half", a=("1", 0))})

    assert found["2"] == NodeState("invalid", blocked_by=("1",))


def test_every_node_of_a_cycle_is_invalid() -> None:
    with engine(Vocabulary()) as runner:
        found = look(runner, {"1": n("Half", a=("2", 0)), "2": n("Half", a=("1", 0)), "3": n("Half", a=("2", 0))})

    assert [fault.code for fault in found["1"].faults] == ["dependency_cycle"]
    assert found["3"].blocked_by == ("2",)


def test_a_failing_check_of_a_node_is_a_fault_of_that_node() -> None:
    words = Vocabulary()

    def fail(value: int) -> int:
        if value < 0:
            raise OSError("gone")
        return value

    @words.registry.node("Checked", fingerprint=fail)
    def checked(value: int) -> int:
        return value

    broken = {"1": n("Checked", value=-1), "2": n("Half", a=("1", 0)), "3": n("Checked", value=-2)}
    with engine(words) as runner:
        found = look(runner, broken | {"4": n("Checked", value=1)})

    assert {id: state.state for id, state in found.items()} == {
        "1": "invalid", "2": "invalid", "3": "invalid", "4": "runs",
    }  # fmt: skip
    assert "gone" in found["1"].faults[0].message
    assert found["2"].blocked_by == ("1",)


def test_a_model_file_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    with engine(Vocabulary(), tmp_path) as runner:
        found = look(runner, {"1": n("Weights", name="a.safetensors")})

    assert [fault.code for fault in found["1"].faults] == ["value_not_in_list"]
