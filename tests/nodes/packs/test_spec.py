"""Foreign nodes as node types of the engine."""

from typing import Any

import pytest

from engine.node import Registry
from engine.schema import NO_DEFAULT, Files, InputFile, Port
from nodes.packs.facts import InputFacts, NodeFacts
from nodes.packs.packs import Packs
from nodes.packs.spec import HooksHere, node_spec, versioned


def ports(*inputs: InputFacts, **facts: Any) -> dict[str, Port]:
    packs = Packs([])
    described = NodeFacts("Type", "Title", "category", "", inputs, (), **facts)
    return dict(node_spec(described, "pack", "0a", packs, HooksHere(packs)).ports)


def port(facts: InputFacts, **node: Any) -> Port:
    return ports(facts, **node)[facts.name]


NUMBER = InputFacts("n", "INT", True, options={"default": 3, "min": 1, "max": 9, "step": 2})


def test_bounds_and_defaults() -> None:
    assert port(NUMBER) == Port("n", "INT", 3, True, 1, 9, options={"step": 2})
    assert port(InputFacts("n", "INT", False, options={"default": 3})).default is None
    assert port(InputFacts("n", "IMAGE", True)).default is NO_DEFAULT
    assert port(InputFacts("n", "IMAGE", False, hidden=["IMAGE"])).hidden == ["IMAGE"]


@pytest.mark.parametrize("checked", [None, ("n",)])
def test_what_a_node_checks_itself_is_not_checked_before(checked: Any) -> None:
    found = port(NUMBER, checks=True, checked=checked)
    assert (found.minimum, found.maximum, found.options["max"]) == (None, None, 9)
    choices = port(InputFacts("n", "COMBO", True, ("a", "b")), checks=True, checked=checked)
    assert (choices.choices, choices.options) == (None, {"options": ["a", "b"]})
    assert port(NUMBER, checks=True, checked=("m",)).maximum == 9


def test_choices_are_files_where_they_are_files() -> None:
    assert port(InputFacts("n", "COMBO", True, ("a.safetensors",), "loras")).choices == Files("loras")
    assert port(InputFacts("n", "COMBO", True, ("a.png",), options={"image_upload": True})).choices == InputFile()


def test_types_of_packs_take_any_literal_and_sockets_none() -> None:
    assert port(InputFacts("n", "CURVE", True)).any_value
    assert not port(InputFacts("n", "MODEL", True)).any_value and not port(NUMBER).any_value
    judged = port(InputFacts("n", "MODEL", True), checks_types=True)
    assert judged.any_value and judged.any_link


@pytest.mark.parametrize(("more", "added"), [("", []), ("links", ["l"]), ("all", ["v", "l"])])
def test_inputs_that_are_not_declared(more: str, added: list[str]) -> None:
    packs = Packs([])
    spec = node_spec(NodeFacts("T", "T", "", "", (NUMBER,), (), more=more), "pack", "0a", packs, HooksHere(packs))
    shaped = spec.shape({"n": 1, "v": 2, "l": ["3", 0]}) if spec.shape else spec
    assert list(shaped.ports) == ["n", *added]
    assert list(spec.ports) == ["n"] and spec.version == "0a"  # type: ignore[union-attr]


def test_ids_count_where_the_result_depends_on_them() -> None:
    def hidden(**facts: Any) -> dict[str, tuple[str, bool]]:
        packs = Packs([])
        spec = node_spec(NodeFacts("T", "T", "", "", (), (), **facts), "pack", "0a", packs, HooksHere(packs))
        return {name: (each.token, each.in_key) for name, each in spec.hidden.items()}

    assert hidden(hidden={"p": "PROMPT", "i": "UNIQUE_ID", "k": "API_KEY_COMFY_ORG"}) == {
        "p": ("PROMPT", False),
        "i": ("UNIQUE_ID", True),
    }
    assert list(hidden(is_unlike=True).values()) == [("UNIQUE_ID", True)]


@pytest.mark.parametrize("token", ["PROMPT", "EXTRA_PNGINFO", "DYNPROMPT", "UNIQUE_ID"])
def test_nodes_that_see_the_whole_workflow_are_not_pure_but_to_save_it(token: str) -> None:
    packs = Packs([])
    for saves in (False, True):
        facts = NodeFacts("T", "T", "", "", (), (), {"x": token}, saves)
        assert node_spec(facts, "pack", "0a", packs, HooksHere(packs)).pure == (saves or token == "UNIQUE_ID")


def test_a_version_has_the_sources_of_the_pack_and_our_nodes_in_it() -> None:
    found = set()
    for digest, version in (("0a", 1), ("0a", 2), ("0b", 1)):
        ours = Registry()

        @ours.node("Ours", version=version)
        def node() -> int:
            return 1

        found.add(versioned(digest, ours))
    assert len(found) == 3 and {each.split("+")[0] for each in found} == {"0a", "0b"}
