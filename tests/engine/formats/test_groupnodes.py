"""Legacy group nodes."""

import pytest

from tests.engine.formats.build import codes, converted, inputs_of, node, saved

GROUP = {
    "nodes": [
        {"type": "Text", "index": 0, "inputs": [{"name": "clip", "type": "CLIP", "link": None}],
         "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": []}], "widgets_values": ["inner"]},
        {"type": "Empty", "index": 1, "inputs": [], "outputs": [{"name": "LATENT", "type": "LATENT"}],
         "widgets_values": [64, 64]},
        {"type": "Sample", "index": 2,
         "inputs": [{"name": "model", "type": "MODEL"}, {"name": "positive", "type": "CONDITIONING", "link": 5},
                    {"name": "negative", "type": "CONDITIONING"}, {"name": "latent", "type": "LATENT", "link": 6}],
         "outputs": [{"name": "LATENT", "type": "LATENT"}], "widgets_values": [1, "fixed", 2, 3.0, "ddim"]},
    ],
    "links": [[0, 0, 2, 1, 5, "CONDITIONING"], [1, 0, 2, 3, 6, "LATENT"]],
    "external": [],
}  # fmt: skip


def group(values, raw=GROUP, kind="workflow>G"):
    nodes = [
        node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"]),
        node(7, kind, values, [("clip", "CLIP", 1), ("model", "MODEL", 2)], ["LATENT"]),
        node(8, "Decode", None, [("samples", "LATENT", 3)]),
    ]
    links = [[1, 1, 1, 7, 0, "CLIP"], [2, 1, 0, 7, 1, "MODEL"], [3, 7, 0, 8, 0, "LATENT"]]
    return converted(saved(nodes, links, extra={"groupNodes": {"G": raw}}))


@pytest.mark.parametrize("kind", ["workflow>G", "workflow/G"])
def test_inner_nodes_links_and_values(kind):
    loaded = group(["a fox", 128, 256, 9, "randomize", 30, 4.5, "euler"], kind=kind)
    assert loaded.prompt.keys() == {"1", "7:0", "7:1", "7:2", "8"}
    assert inputs_of(loaded, "7:0") == {"text": "a fox", "clip": ["1", 1]}
    assert inputs_of(loaded, "7:1") == {"width": 128, "height": 256}
    assert inputs_of(loaded, "7:2") == {
        "seed": 9, "steps": 30, "cfg": 4.5, "sampler": "euler",
        "model": ["1", 0], "positive": ["7:0", 0], "latent": ["7:1", 0],
    }  # fmt: skip
    assert inputs_of(loaded, "8") == {"samples": ["7:2", 0]}


def test_without_values_the_inner_ones_stand():
    loaded = group(None)
    assert inputs_of(loaded, "7:0")["text"] == "inner"
    assert codes(loaded) == []


def test_values_that_do_not_fit_are_reported_not_guessed():
    loaded = group(["a fox", 128])
    assert inputs_of(loaded, "7:0")["text"] == "inner"
    assert codes(loaded) == ["misaligned_values"]


def test_outputs_used_inside_show_only_if_also_used_outside():
    first = group(None, {**GROUP, "external": [[0, 0, "CONDITIONING"]]})
    assert inputs_of(first, "8") == {"samples": ["7:0", 0]}


def test_renamed_and_hidden_sockets():
    config = {"0": {"input": {"clip": {"name": "words"}, "text": {"visible": False}}}}
    loaded = group([128, 256, 9, "randomize", 30, 4.5, "euler"], {**GROUP, "config": config})
    assert inputs_of(loaded, "7:0") == {"text": "inner"}
    assert inputs_of(loaded, "7:1") == {"width": 128, "height": 256}


def test_a_group_that_is_not_described_is_an_unknown_type():
    assert codes(converted(saved([node(7, "workflow>Gone")]))) == ["unknown_node"]
