"""Subgraphs: unfolding, and the values that an instance gives to the widgets inside."""

import pytest

from tests.engine.formats.build import codes, converted, inputs_of, node, saved, subgraph

SIZE = subgraph(
    "size",
    [node(1, "Empty", [64, 32], [("width", "INT", 1, "width"), ("height", "INT", 2, "height")], ["LATENT"])],
    [(1, -10, 0, 1, 0, "INT"), (2, -10, 1, 1, 1, "INT"), (3, 1, 0, -20, 0, "LATENT")],
    [("w", "INT", [1]), ("h", "INT", [2])],
    [("latent", "LATENT", [3])],
)


def size(node_id, values=None, **rest):
    return node(node_id, "size", values, outputs=["LATENT"], **rest)


def unfold(nodes, *definitions, links=()):
    return converted(saved(nodes, links, definitions={"subgraphs": list(definitions)}))


def test_inner_nodes_get_the_instance_in_their_id_and_links_cross_the_boundary():
    clip = subgraph(
        "clip",
        [node(4, "Text", ["hi"], [("clip", "CLIP", 1)], ["CONDITIONING"])],
        [(1, -10, 0, 4, 0, "CLIP"), (2, 4, 0, -20, 0, "CONDITIONING")],
        [("clip", "CLIP", [1])],
        [("out", "CONDITIONING", [2])],
    )
    outer = subgraph(
        "outer",
        [node(7, "clip", None, [("clip", "CLIP", 1)], ["CONDITIONING"])],
        [(1, -10, 0, 7, 0, "CLIP"), (2, 7, 0, -20, 0, "CONDITIONING")],
        [("clip", "CLIP", [1])],
        [("out", "CONDITIONING", [2])],
    )
    nodes = [
        node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"]),
        node(9, "outer", None, [("clip", "CLIP", 1)], ["CONDITIONING"]),
        node(2, "Any", None, [("source", "*", 2)]),
    ]
    loaded = unfold(nodes, clip, outer, links=[[1, 1, 1, 9, 0, "CLIP"], [2, 9, 0, 2, 0, "*"]])
    assert loaded.prompt.keys() == {"1", "2", "9:7:4"}
    assert inputs_of(loaded, "9:7:4") == {"text": "hi", "clip": ["1", 1]}
    assert inputs_of(loaded, "2") == {"source": ["9:7:4", 0]}


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ({"values": [640, 480]}, (640, 480)),
        ({"values": [None, 480]}, (64, 480)),
        ({"values": [640]}, (640, 32)),
        ({"values": []}, (64, 32)),
        ({}, (64, 32)),
        ({"values": {"h": 480}}, (64, 480)),
        ({"widgets_values_named": {"h": 480}}, (64, 480)),
        ({"values": [1, 2, 3], "widgets_values_named": {"w": 640, "h": 480}}, (640, 480)),
        ({"values": [480, 640], "properties": {"proxyWidgets": [["1", "height"], ["1", "width"]]}}, (640, 480)),
        ({"values": [480, 640], "properties": {"proxyWidgets": [["1", "1: height"], ["-1", "w"]]}}, (640, 480)),
        ({"values": [7, 640], "properties": {"proxyWidgets": [["1", "$$preview"], ["1", "width"]]}}, (640, 32)),
        ({"values": [7, 640], "properties": {"proxyWidgets": [["99", "width"], ["1", "width"]]}}, (640, 32)),
        ({"values": [], "properties": {"proxyWidgets": [["1", "width"]]}}, (64, 32)),
    ],
)
def test_where_an_instance_keeps_its_values(instance, expected):
    loaded = unfold([size(5, **instance)], SIZE)
    assert inputs_of(loaded, "5:1") == {"width": expected[0], "height": expected[1]}


def test_each_instance_has_its_own_values():
    loaded = unfold([size(5, [1, 2]), size(6, [3, 4])], SIZE)
    assert [inputs_of(loaded, node_id)["width"] for node_id in ("5:1", "6:1")] == [1, 3]


def test_a_linked_input_wins_over_the_promoted_value():
    nodes = [node(1, "PrimitiveNode", [99], [], ["INT"]), size(5, [1, 2], inputs=[("h", "INT", 1, "h")])]
    assert inputs_of(unfold(nodes, SIZE, links=[[1, 1, 0, 5, 0, "INT"]]), "5:1") == {"width": 1, "height": 99}


def test_more_values_than_promoted_widgets_are_reported():
    loaded = unfold([size(5, [640, 480, 1])], SIZE)
    assert inputs_of(loaded, "5:1") == {"width": 640, "height": 480}
    assert "extra_values" in codes(loaded)


def test_only_inputs_that_lead_to_a_widget_take_a_value():
    mixed = subgraph(
        "mixed",
        [node(1, "Text", ["hi"], [("clip", "CLIP", 1), ("text", "STRING", 2, "text")], ["CONDITIONING"])],
        [(1, -10, 0, 1, 0, "CLIP"), (2, -10, 1, 1, 1, "STRING")],
        [("clip", "CLIP", [1]), ("text", "STRING", [2])],
    )
    assert inputs_of(unfold([node(5, "mixed", ["a fox"])], mixed), "5:1") == {"text": "a fox"}


@pytest.mark.parametrize(
    "given",
    [{"values": [640]}, {"values": [640], "properties": {"proxyWidgets": [["5", "w"]]}}],
    ids=["input", "proxy"],
)
def test_promotion_through_two_levels(given):
    outer = subgraph(
        "outer",
        [size(5, [1, 2], inputs=[("w", "INT", 1, "w")] if "properties" not in given else [])],
        [(1, -10, 0, 5, 0, "INT")],
        [("far", "INT", [1])],
    )
    loaded = unfold([node(9, "outer", **given)], SIZE, outer)
    assert inputs_of(loaded, "9:5:1") == {"width": 640, "height": 2}


@pytest.mark.parametrize("mode", [2, 4])
def test_nothing_of_a_muted_or_bypassed_instance_exists(mode):
    nodes = [size(5, [1, 2], mode=mode), node(2, "Any", None, [("source", "*", 1)])]
    loaded = unfold(nodes, SIZE, links=[[1, 5, 0, 2, 0, "*"]])
    assert loaded.prompt.keys() == {"2"}
    assert inputs_of(loaded, "2") == {}


def test_a_bypassed_instance_hands_through_by_type():
    pass_on = subgraph("pass", [node(1, "Empty")], [], [("a", "MODEL", []), ("b", "CLIP", [])], [("out", "CLIP", [])])
    nodes = [
        node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"]),
        node(5, "pass", None, [("b", "CLIP", 1)], ["CLIP"], mode=4),
        node(2, "Text", ["hi"], [("clip", "CLIP", 2)]),
    ]
    loaded = unfold(nodes, pass_on, links=[[1, 1, 1, 5, 0, "CLIP"], [2, 5, 0, 2, 0, "CLIP"]])
    assert inputs_of(loaded, "2")["clip"] == ["1", 1]


def test_an_input_may_lead_straight_to_an_output():
    wire = subgraph("wire", [], [(1, -10, 0, -20, 0, "CLIP")], [("a", "CLIP", [1])], [("b", "CLIP", [1])])
    nodes = [
        node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"]),
        node(5, "wire", None, [("a", "CLIP", 1)], ["CLIP"]),
        node(2, "Text", ["hi"], [("clip", "CLIP", 2)]),
    ]
    loaded = unfold(nodes, wire, links=[[1, 1, 1, 5, 0, "CLIP"], [2, 5, 0, 2, 0, "CLIP"]])
    assert inputs_of(loaded, "2")["clip"] == ["1", 1]


def test_a_set_outside_is_seen_by_a_get_inside():
    inner = subgraph(
        "inner",
        [node(3, "GetNode", ["c"], [], ["CLIP"]), node(4, "Text", ["hi"], [("clip", "CLIP", 1)])],
        [(1, 3, 0, 4, 0, "CLIP")],
    )
    nodes = [
        node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"]),
        node(6, "SetNode", ["c"], [("CLIP", "CLIP", 1)]),
        node(5, "inner"),
    ]
    assert inputs_of(unfold(nodes, inner, links=[[1, 1, 1, 6, 0, "CLIP"]]), "5:4")["clip"] == ["1", 1]


class TestLimits:
    def test_a_subgraph_that_contains_itself(self):
        loaded = unfold([node(5, "loop")], subgraph("loop", [node(1, "loop"), node(2, "Empty")], []))
        assert loaded.prompt.keys() == {"5:2"}
        assert codes(loaded) == ["recursive_subgraph"]

    def test_depth(self):
        levels = [subgraph(f"s{depth}", [node(1, f"s{depth + 1}"), node(2, "Empty")], []) for depth in range(200)]
        loaded = unfold([node(1, "s0")], *levels)
        assert codes(loaded) == ["too_deep"]
        assert len(loaded.prompt) == 101 - 1

    def test_ten_to_the_twelfth_nodes(self):
        tens = [subgraph(f"s{depth}", [node(index, f"s{depth + 1}") for index in range(10)], []) for depth in range(12)]
        loaded = unfold([node(1, "s0")], *tens)
        assert set(codes(loaded)) == {"too_many_nodes", "more"}
        assert len(loaded.diagnostics) == 1_001
