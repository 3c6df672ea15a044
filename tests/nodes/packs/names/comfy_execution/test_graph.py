import pytest

from nodes.packs.names.comfy_execution import graph
from nodes.packs.names.comfy_execution.graph import DynamicPrompt, ExecutionBlocker, NodeNotFoundError


def test_a_blocker_is_plain_data() -> None:
    assert ExecutionBlocker(None) == ExecutionBlocker(None) != ExecutionBlocker("why")


def test_a_prompt_knows_what_was_added_and_for_whom() -> None:
    prompt = DynamicPrompt({"1": {"class_type": "A"}})
    prompt.add_ephemeral_node("1.0", {"class_type": "B"}, "1", "1")
    prompt.add_ephemeral_node("1.0.0", {"class_type": "C"}, "1.0", "1.0")
    assert prompt.get_node("1.0") == {"class_type": "B"} and prompt.has_node("1") and not prompt.has_node("2")
    assert prompt.get_real_node_id("1.0.0") == prompt.get_display_node_id("1.0.0") == "1"
    assert prompt.get_parent_node_id("1.0.0") == "1.0" and prompt.get_parent_node_id("1") is None
    assert prompt.all_node_ids() == {"1", "1.0", "1.0.0"} and list(prompt.get_original_prompt()) == ["1"]
    with pytest.raises(NodeNotFoundError):
        prompt.get_node("2")


def test_the_rest_is_placeholders() -> None:
    assert graph.ExecutionList.__name__ == "ExecutionList"
