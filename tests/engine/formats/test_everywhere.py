"""Links that the Use Everywhere pack makes without drawing them."""

import pytest

from tests.engine.formats.build import codes, converted, inputs_of, node, saved, subgraph

LOADER = node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"])
LINKS = [[1, 1, 1, 5, 0, "CLIP"], [2, 1, 0, 5, 1, "MODEL"]]


def everywhere(node_id=5, link=1, **rest):
    return node(node_id, "Anything Everywhere", [], [("anything", "CLIP", link)], **rest)


def text(node_id=2, link=None, **rest):
    return node(node_id, "Text", ["hi"], [("clip", "CLIP", link)], ["CONDITIONING"], **rest)


def clip_of(nodes, node_id="2", links=LINKS, **rest):
    return inputs_of(converted(saved(nodes, links, **rest)), node_id).get("clip")


def test_every_unlinked_input_of_the_type_is_fed():
    loaded = converted(saved([LOADER, everywhere(), text(2), text(3)], LINKS))
    assert loaded.prompt.keys() == {"1", "2", "3"}
    assert [inputs_of(loaded, node_id)["clip"] for node_id in "23"] == [["1", 1], ["1", 1]]


def test_a_drawn_link_wins():
    other = {**LOADER, "id": 7}
    assert clip_of([LOADER, other, everywhere(), text(2, 9)], links=[*LINKS, [9, 7, 1, 2, 0, "CLIP"]]) == ["7", 1]


def test_several_inputs():
    triple = node(5, "Anything Everywhere3", [], [("anything", "CLIP", 1), ("anything2", "MODEL", 2)])
    loaded = converted(saved([LOADER, triple, node(2, "Lora", [1.0])], LINKS))
    assert inputs_of(loaded, "2") == {"strength": 1.0, "model": ["1", 0], "clip": ["1", 1]}


@pytest.mark.parametrize(
    ("broadcaster", "receiver"),
    [
        (everywhere(mode=4), text()),
        (everywhere(link=None), text()),
        (everywhere(), text(properties={"rejects_ue_links": True})),
        (everywhere(), text(properties={"ue_properties": {"input_ue_unconnectable": {"clip": True}}})),
        (everywhere(properties={"ue_properties": {"title_regex": "^Other"}}), text(title="Mine")),
        (
            everywhere(properties={"ue_properties": {"title_regex": "Mine", "title_regex_invert": True}}),
            text(title="Mine"),
        ),
        (everywhere(properties={"ue_properties": {"color_restricted": 1}}, color="#111"), text(color="#222")),
        (everywhere(properties={"ue_properties": {"group_restricted": 1}}, pos=[500, 0]), text(pos=[10, 10])),
        (everywhere(properties={"ue_properties": {"group_regex": "B"}}), text(pos=[10, 10])),
    ],
)
def test_who_gets_nothing(broadcaster, receiver):
    groups = [{"title": "A", "bounding": [0, 0, 100, 100]}]
    assert clip_of([LOADER, broadcaster, receiver], groups=groups) is None


@pytest.mark.parametrize(
    ("broadcaster", "receiver"),
    [
        (everywhere(properties={"ue_properties": {"title_regex": "^Mi"}}), text(title="Mine")),
        (everywhere(properties={"ue_properties": {"group_restricted": 1}}, pos=[50, 0]), text(pos=[10, 10])),
        (everywhere(properties={"ue_properties": {"group_regex": "A"}}), text(pos=[10, 10])),
        (node(5, "Anything Everywhere?", ["Mi.*", ".*", ".*"], [("anything", "CLIP", 1)]), text(title="Mine")),
    ],
)
def test_who_gets_it_in_spite_of_restrictions(broadcaster, receiver):
    groups = [{"title": "A", "bounding": [0, 0, 100, 100]}]
    assert clip_of([LOADER, broadcaster, receiver], groups=groups) == ["1", 1]


def test_the_narrower_offer_wins_and_a_tie_connects_nothing():
    other = {**LOADER, "id": 7}
    narrow = everywhere(6, 9, properties={"ue_properties": {"title_regex": "Mine"}})
    links = [*LINKS, [9, 7, 1, 6, 0, "CLIP"]]
    assert clip_of([LOADER, other, everywhere(), narrow, text(title="Mine")], links=links) == ["7", 1]
    tied = converted(saved([LOADER, other, everywhere(), everywhere(6, 9), text()], links))
    assert inputs_of(tied, "2") == {"text": "hi"}
    assert [(item.code, item.input, item.got) for item in tied.diagnostics] == [("ambiguous_broadcast", "clip", "5, 6")]


def test_prompts_go_by_name():
    prompts = node(5, "Prompts Everywhere", [], [("+ve", "CONDITIONING", 2), ("-ve", "CONDITIONING", 3)])
    nodes = [LOADER, text(3, 8), text(4, 9), prompts, node(2, "Sample", [1, "fixed", 2, 3.0, "ddim"])]
    links = [[8, 1, 1, 3, 0, "C"], [9, 1, 1, 4, 0, "C"], [2, 3, 0, 5, 0, "*"], [3, 4, 0, 5, 1, "*"]]
    inputs = inputs_of(converted(saved(nodes, links)), "2")
    assert (inputs["positive"], inputs["negative"]) == (["3", 0], ["4", 0])


def test_a_node_may_broadcast_its_outputs_and_a_widget_may_take_them():
    sender = node(1, "Load", ["a.safetensors"], [], ["MODEL", "CLIP", "VAE"], properties={"ue_convert": True})
    assert clip_of([sender, text()]) == ["1", 1]
    seed = node(6, "Seed Everywhere", {"seed": 3}, [], ["INT"])
    sample = node(2, "Sample", [1, "fixed", 2, 3.0, "ddim"])
    takes = {**sample, "properties": {"ue_properties": {"widget_ue_connectable": {"seed": True, "steps": True}}}}
    assert inputs_of(converted(saved([seed, sample])), "2")["seed"] == 1
    inputs = inputs_of(converted(saved([seed, takes])), "2")
    assert (inputs["seed"], inputs["steps"]) == (["6", 0], 2)


def test_each_graph_for_itself():
    inner = subgraph("inner", [text(3)], [])
    loaded = converted(saved([LOADER, everywhere(), node(9, "inner")], LINKS, definitions={"subgraphs": [inner]}))
    assert inputs_of(loaded, "9:3") == {"text": "hi"}


@pytest.mark.parametrize("pattern", ["(a+)+$", "a*b*c*d*", "[", "x" * 500])
def test_patterns_that_are_wrong_or_slow_match_nothing(pattern):
    loaded = converted(
        saved([LOADER, everywhere(properties={"ue_properties": {"title_regex": pattern}}), text()], LINKS)
    )
    assert inputs_of(loaded, "2") == {"text": "hi"}
    assert codes(loaded) == ["bad_pattern"]
