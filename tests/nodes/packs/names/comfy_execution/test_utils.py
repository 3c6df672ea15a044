from engine.context import Context
from nodes.packs.names.comfy_execution.utils import get_executing_context


def test_a_call_knows_its_node(running: Context) -> None:
    found = get_executing_context()
    assert found is not None and found.node_id == running.node


def test_outside_of_a_call_there_is_none() -> None:
    assert get_executing_context() is None
