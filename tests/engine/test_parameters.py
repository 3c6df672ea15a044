"""What can be set in a workflow, by which name, and setting it."""

import pytest

from engine.declarations import Declaration
from engine.errors import WorkflowError
from engine.graph import read_graph
from engine.parameters import find_input, find_node, list_parameters, set_parameters
from tests.engine.words import Vocabulary, n

REGISTRY = Vocabulary().registry


def titled(title, node):
    return node | {"_meta": {"title": title}}


GRAPH = read_graph(
    {
        "1": titled("First", n("Number", value=1)),
        "2": titled("Twice", n("Number", value=2)),
        "3": titled("Twice", n("Divide", a=("1", 0), b=3)),
        "4": n("Save", text={"__value__": "a fox"}),
        "5": n("Foreign", strength=0.5, input=("4", 0)),
        "Save": n("Switch"),
    }
)


def test_every_input_that_nothing_feeds_is_offered():
    found = [(each.name, each.node, each.input, each.value) for each in list_parameters(GRAPH, REGISTRY)]
    assert found == [
        ("First.value", "1", "value", 1),
        ("2.value", "2", "value", 2),
        ("Divide.b", "3", "b", 3),
        ("4.text", "4", "text", "a fox"),
        ("4.prefix", "4", "prefix", "text"),
        ("Foreign.strength", "5", "strength", 0.5),
        ("Switch.condition", "Save", "condition", None),
        ("Switch.a", "Save", "a", None),
        ("Switch.b", "Save", "b", None),
    ]


def test_a_parameter_carries_what_is_declared():
    ports = {each.name: each.port for each in list_parameters(GRAPH, REGISTRY)}
    assert (ports["Divide.b"].minimum, ports["Divide.b"].maximum) == (1, 100)
    assert ports["Foreign.strength"] is None


@pytest.mark.parametrize("name", [each.name for each in list_parameters(GRAPH, REGISTRY)])
def test_each_name_sets_its_input(name):
    (parameter,) = [each for each in list_parameters(GRAPH, REGISTRY) if each.name == name]
    found = set_parameters(GRAPH, {name: 7}, REGISTRY)
    assert found[parameter.node]["inputs"][parameter.input] == 7
    assert {id: node for id, node in found.items() if id != parameter.node} == {
        id: node for id, node in GRAPH.prompt.items() if id != parameter.node
    }


def test_a_name_of_several_nodes_lists_them():
    with pytest.raises(WorkflowError, match="2 nodes are called 'Twice'") as caught:
        find_node(GRAPH, "Twice")
    assert caught.value.expected == "2 (Twice), 3 (Twice)"


@pytest.mark.parametrize(("name", "id"), [("1", "1"), ("First", "1"), ("Divide", "3"), ("Save", "Save")])
def test_an_id_comes_before_a_title_and_a_title_before_a_type(name, id):
    assert find_node(GRAPH, name) == id


@pytest.mark.parametrize("address", ["seed", ".seed", "1.", "1.vaule", "Nobody.seed"])
def test_what_names_no_input(address):
    with pytest.raises(WorkflowError):
        set_parameters(GRAPH, {address: 1}, REGISTRY)


def test_an_input_that_one_node_has_needs_no_node():
    assert find_input(GRAPH, "strength", REGISTRY) == ("5", "strength")
    assert set_parameters(GRAPH, {"strength": 1}, REGISTRY)["5"]["inputs"]["strength"] == 1


def test_an_input_of_several_nodes_lists_them():
    with pytest.raises(WorkflowError, match="2 inputs are called 'value'") as caught:
        find_input(GRAPH, "value", REGISTRY)
    assert caught.value.expected == "First.value, 2.value"


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("promt", "prompt"),
        ("strenth", "strength"),
        ("Forein", "Foreign.strength"),
        ("Frist.value", "First"),
        ("Forein.strength", "Foreign"),
        ("Foreign.strenth", "strength"),
    ],
)
def test_what_names_no_input_hears_the_nearest_parameter_title_type_or_input(address, near):
    with pytest.raises(WorkflowError) as caught:
        set_parameters(GRAPH, {address: 1}, REGISTRY, {"prompt": Declaration(input=("4.text",))})
    assert caught.value.expected == near and caught.value.hint.startswith(f"Did you mean {near!r}?")


def test_what_is_like_nothing_hears_which_forms_there_are():
    with pytest.raises(WorkflowError) as caught:
        set_parameters(GRAPH, {"zzz": 1}, REGISTRY)
    assert "NODE.INPUT" in caught.value.expected and caught.value.hint == "`loomis params` lists what there is."
