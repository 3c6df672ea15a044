"""What an input is connected to, through everything that only the editor has."""

import pytest

from engine.formats.resolve import bypass_index
from tests.engine.formats.build import codes, converted, inputs_of, node, saved

LOADER = node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"])


def text(node_id, link, **rest):
    return node(node_id, "Text", ["hi"], [("clip", "CLIP", link)], ["CONDITIONING"], **rest)


def test_links_as_arrays_objects_and_null():
    links = [
        [1, 1, 1, 2, 0, "CLIP"],
        None,
        {"id": 2, "origin_id": 1, "origin_slot": 1, "target_id": 3, "target_slot": 0},
    ]
    loaded = converted(saved([LOADER, text(2, 1), text(3, 2)], links))
    assert inputs_of(loaded, "2")["clip"] == inputs_of(loaded, "3")["clip"] == ["1", 1]
    assert codes(loaded) == []


def test_numbers_saved_as_text():
    links = [["1", "1", "1", "2", "0", "CLIP"]]
    nodes = [{**LOADER, "id": "1"}, {**text("2", "1"), "mode": "0"}]
    assert inputs_of(converted(saved(nodes, links)), "2")["clip"] == ["1", 1]


def test_ids_with_colons():
    loaded = converted(saved([{**LOADER, "id": "5:1"}, text("a:b:c", 1)], [[1, "5:1", 1, "a:b:c", 0, "CLIP"]]))
    assert inputs_of(loaded, "a:b:c")["clip"] == ["5:1", 1]


@pytest.mark.parametrize("links", [[], [[1, 99, 1, 2, 0, "CLIP"]]])
def test_dangling_links_are_dropped(links):
    loaded = converted(saved([LOADER, text(2, 1)], links))
    assert inputs_of(loaded, "2") == {"text": "hi"}
    assert [(item.code, item.node, item.input) for item in loaded.diagnostics] == [("dangling_link", "2", "clip")]


def test_saved_inputs_are_matched_to_declared_ones_by_name():
    nodes = [LOADER, node(2, "Lora", [0.5], [("clip", "CLIP", 2), ("model", "MODEL", 1)], ["MODEL", "CLIP"])]
    loaded = converted(saved(nodes, [[1, 1, 0, 2, 0, "MODEL"], [2, 1, 1, 2, 1, "CLIP"]]))
    assert inputs_of(loaded, "2") == {"strength": 0.5, "model": ["1", 0], "clip": ["1", 1]}


def test_an_input_that_the_type_has_no_more_is_kept_and_reported():
    nodes = [LOADER, node(2, "Empty", [64, 64], [("old", "MODEL", 1)])]
    loaded = converted(saved(nodes, [[1, 1, 0, 2, 0, "MODEL"]]))
    assert inputs_of(loaded, "2") == {"width": 64, "height": 64, "old": ["1", 0]}
    assert codes(loaded) == ["undeclared_input"]


@pytest.mark.parametrize("kind", ["Reroute", "Reroute (rgthree)"])
def test_reroutes_vanish(kind):
    nodes = [LOADER, node(5, kind, None, [("", "*", 1)], ["*"]), node(6, kind, None, [("", "*", 2)], ["*"]), text(2, 3)]
    loaded = converted(saved(nodes, [[1, 1, 1, 5, 0, "*"], [2, 5, 0, 6, 0, "*"], [3, 6, 0, 2, 0, "CLIP"]]))
    assert set(loaded.prompt) == {"1", "2"}
    assert inputs_of(loaded, "2")["clip"] == ["1", 1]


def test_native_reroutes_are_only_seen():
    extra = {"reroutes": [{"id": 1, "pos": [0, 0], "linkIds": [1]}], "linkExtensions": [{"id": 1, "parentId": 1}]}
    loaded = converted(saved([LOADER, text(2, 1)], [[1, 1, 1, 2, 0, "CLIP"]], extra=extra))
    assert inputs_of(loaded, "2")["clip"] == ["1", 1]


def test_a_circle_of_reroutes_is_reported():
    nodes = [node(5, "Reroute", None, [("", "*", 1)]), node(6, "Reroute", None, [("", "*", 2)]), text(2, 3)]
    loaded = converted(saved(nodes, [[1, 6, 0, 5, 0, "*"], [2, 5, 0, 6, 0, "*"], [3, 6, 0, 2, 0, "CLIP"]]))
    assert inputs_of(loaded, "2") == {"text": "hi"}
    assert codes(loaded) == ["cycle"]


def test_a_primitive_gives_its_value_to_all_it_feeds_even_through_a_reroute():
    size = [("width", "INT", 1, "width"), ("height", "INT", 3, "height")]
    nodes = [node(5, "PrimitiveNode", [640, "fixed"], [], ["INT"]), node(6, "Reroute", None, [("", "*", 2)]),
             node(2, "Empty", [64, 64], size)]  # fmt: skip
    loaded = converted(saved(nodes, [[1, 5, 0, 2, 0, "INT"], [2, 5, 0, 6, 0, "*"], [3, 6, 0, 2, 1, "INT"]]))
    assert loaded.prompt.keys() == {"2"}
    assert inputs_of(loaded, "2") == {"width": 640, "height": 640}


def test_a_primitive_reaches_a_forced_input_and_a_widget_behind_a_bypassed_node():
    nodes = [
        node(5, "PrimitiveNode", ["red"], [], ["STRING"]),
        node(2, "Recolor", ["p", 1, 2], [("negative", "STRING", 1)]),
        node(3, "Alien", [], [("in", "STRING", 2)], ["STRING"], mode=4),
        node(4, "Text", ["x"], [("text", "STRING", 3, "text")]),
    ]
    links = [[1, 5, 0, 2, 0, "STRING"], [2, 5, 0, 3, 0, "STRING"], [3, 3, 0, 4, 0, "STRING"]]
    loaded = converted(saved(nodes, links))
    assert inputs_of(loaded, "2")["negative"] == "red"
    assert inputs_of(loaded, "4")["text"] == "red"


def test_a_connected_socket_wins_over_its_widget():
    nodes = [LOADER, node(2, "Empty", [64, 64], [("width", "INT", 1, "width")])]
    assert inputs_of(converted(saved(nodes, [[1, 1, 0, 2, 0, "INT"]])), "2") == {"width": ["1", 0], "height": 64}


@pytest.mark.parametrize("kind", ["Note", "MarkdownNote", "Bookmark (rgthree)", "Fast Groups Bypasser (rgthree)"])
def test_notes_and_panels_have_no_part_in_the_graph(kind):
    assert converted(saved([LOADER, node(2, kind, ["words"])])).prompt.keys() == {"1"}


def test_a_muted_node_and_the_links_to_it_are_gone():
    loaded = converted(saved([{**LOADER, "mode": 2}, text(2, 1)], [[1, 1, 1, 2, 0, "CLIP"]]))
    assert loaded.prompt == {"2": {"class_type": "Text", "inputs": {"text": "hi"}, "_meta": {"title": "Text"}}}


def test_a_muted_node_behind_a_widget_leaves_the_widget_value():
    nodes = [{**LOADER, "mode": 2}, node(2, "Empty", [64, 64], [("width", "INT", 1, "width")])]
    assert inputs_of(converted(saved(nodes, [[1, 1, 0, 2, 0, "INT"]])), "2")["width"] == 64


def test_a_bypassed_node_hands_through_by_type():
    lora = node(3, "Lora", [1.0], [("model", "MODEL", 1), ("clip", "CLIP", 2)], ["MODEL", "CLIP"], mode=4)
    loaded = converted(
        saved([LOADER, lora, text(2, 3)], [[1, 1, 0, 3, 0, "M"], [2, 1, 1, 3, 1, "C"], [3, 3, 1, 2, 0, "C"]])
    )
    assert loaded.prompt.keys() == {"1", "2"}
    assert inputs_of(loaded, "2")["clip"] == ["1", 1]


def test_a_bypassed_node_without_a_fitting_input_drops_the_link():
    decode = node(3, "Decode", None, [("samples", "LATENT", 1), ("vae", "VAE", None)], ["IMAGE"], mode=4)
    nodes = [node(1, "Empty", [64, 64], [], ["LATENT"]), decode, node(2, "Scale", [2.0], [("image", "IMAGE", 2)])]
    loaded = converted(saved(nodes, [[1, 1, 0, 3, 0, "LATENT"], [2, 3, 0, 2, 0, "IMAGE"]]))
    assert inputs_of(loaded, "2") == {"by": 2.0}
    assert codes(loaded) == ["bypass_without_match"]


def test_bypass_counts_declared_inputs_even_where_the_file_leaves_some_out():
    image = node(1, "LoadImage", ["x.png", "image"], [], ["IMAGE", "MASK"])
    scale = node(2, "Scale", [1.0], [("mask", "MASK", 2), ("image", "IMAGE", 1)], ["IMAGE"], mode=4)
    nodes = [image, scale, node(3, "Any", None, [("source", "*", 3)])]
    loaded = converted(saved(nodes, [[1, 1, 0, 2, 1, "I"], [2, 1, 1, 2, 0, "M"], [3, 2, 0, 3, 0, "*"]]))
    assert inputs_of(loaded, "3")["source"] == ["1", 0]


@pytest.mark.parametrize(
    ("inputs", "slot", "output", "wanted", "index"),
    [
        (["MODEL", "CLIP"], 1, "CLIP", "CLIP", 1),
        (["CLIP", "MODEL"], 0, "MODEL", "MODEL", 1),
        (["IMAGE", "MASK"], 1, "IMAGE", "*", 1),
        (["IMAGE"], 3, "IMAGE", "*", 0),
        ([], 0, "IMAGE", "*", None),
        (["LATENT"], 0, "IMAGE", "IMAGE", None),
        (["*", "IMAGE"], 2, "IMAGE", "IMAGE", 1),
        (["*", "MASK"], 1, "IMAGE", "IMAGE", 0),
        (["int,float"], 0, "FLOAT", "FLOAT", 0),
    ],
)
def test_which_input_a_bypassed_node_hands_through(inputs, slot, output, wanted, index):
    assert bypass_index(inputs, slot, output, wanted) == index


class TestSetAndGet:
    def nodes(self, **setter):
        return [
            LOADER,
            node(5, "SetNode", ["clip"], [("CLIP", "CLIP", 1)], ["*"], **setter),
            node(6, "GetNode", ["clip"], [], ["CLIP"]),
            text(2, 2),
        ]

    links = ([1, 1, 1, 5, 0, "CLIP"], [2, 6, 0, 2, 0, "CLIP"])

    def test_a_get_is_what_feeds_the_set_of_its_name(self):
        loaded = converted(saved(self.nodes(), self.links))
        assert loaded.prompt.keys() == {"1", "2"}
        assert inputs_of(loaded, "2")["clip"] == ["1", 1]

    def test_a_get_without_a_set_is_reported(self):
        loaded = converted(saved(self.nodes(mode=2), self.links))
        assert inputs_of(loaded, "2") == {"text": "hi"}
        assert [(item.code, item.node, item.got) for item in loaded.diagnostics] == [("no_setter", "6", "clip")]

    def test_the_output_of_a_set_is_its_input(self):
        loaded = converted(saved(self.nodes(), [self.links[0], [2, 5, 0, 2, 0, "CLIP"]]))
        assert inputs_of(loaded, "2")["clip"] == ["1", 1]
