"""Graphs that a node answers with."""

from engine.context import Context
from engine.graph import read_graph
from nodes.packs.names.comfy_execution.graph_utils import GraphBuilder, add_graph_prefix, is_link


def test_a_link_is_a_list_of_a_node_and_a_number() -> None:
    assert is_link(["1", 0]) and is_link(["1", 0.0])
    assert not any(is_link(value) for value in (["1", True], ("1", 0), [1, 0], ["1"], "1", None))


def test_a_graph_is_built_in_api_format(running: Context) -> None:
    graph = GraphBuilder()
    first = graph.node("PrimitiveInt", value=3)
    second = graph.node("Add", "sum", a=first.out(0), b=4)
    second.set_override_display_id("9")
    assert graph.node("Add", "sum") is second is graph.lookup_node("sum")
    assert graph.finalize() == {
        "1.0.0.1": {"class_type": "PrimitiveInt", "inputs": {"value": 3}},
        "1.0.0.sum": {"class_type": "Add", "inputs": {"a": ["1.0.0.1", 0], "b": 4}, "override_display_id": "9"},
    }
    assert list(read_graph(graph.finalize()).nodes) == ["1.0.0.1", "1.0.0.sum"]


def test_each_graph_of_a_call_has_ids_of_its_own(running: Context) -> None:
    one, two = GraphBuilder(), GraphBuilder()
    assert one.node("A").id != two.node("A").id
    assert GraphBuilder("own.").node("A").id == "own.1"
    assert GraphBuilder.alloc_prefix("7", 2, 3) == "7.2.3."


def test_inputs_and_nodes_are_changed(running: Context) -> None:
    graph = GraphBuilder("")
    graph.node("A", "a")
    user = graph.node("B", "b", x=["a", 0], y=["a", 1], z=1)
    graph.replace_node_output("a", 0, ["c", 0])
    graph.replace_node_output("a", 1, None)
    user.set_input("z", None)
    assert user.inputs == {"x": ["c", 0]} and user.get_input("y") is None
    graph.remove_node("a")
    assert list(graph.finalize()) == ["b"] and graph.lookup_node("a") is None


def test_a_graph_gets_another_beginning_of_its_ids() -> None:
    graph = {"a": {"class_type": "A", "inputs": {}}, "b": {"class_type": "B", "inputs": {"x": ["a", 0], "y": 2}}}
    moved, outputs = add_graph_prefix(graph, [["b", 0], 5], "p.")
    assert moved["p.b"] == {"class_type": "B", "inputs": {"x": ["p.a", 0], "y": 2}}
    assert outputs == (["p.b", 0], 5) and graph["b"]["inputs"] == {"x": ["a", 0], "y": 2}
