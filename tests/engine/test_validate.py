"""Every fault a graph can have, all of them at once, and how literals become values."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Folders, Registry
from engine.binding import BoundNode, compatible
from engine.choices import nearest
from engine.cycles import find_cycles
from engine.errors import Fault, ValidationError, WorkflowError
from engine.graph import Link, read_graph
from engine.node import Field, Files, InputFile, Lazy, OptionalInput, Shown
from engine.types import Anything, Image, Mask
from engine.validate import BoundGraph, validate
from tests.engine.words import n


def words() -> Registry:
    registry = Registry()
    node = registry.node

    @node("Number")
    def number(value: Annotated[int, Field(ge=-10, le=10**30)]) -> int: ...

    @node("Values")
    def values(
        i: Annotated[int, OptionalInput()] = 1,
        f: Annotated[float, OptionalInput(), Field(ge=-1, le=1e9)] = 0,
        s: Annotated[str, OptionalInput()] = "",
        b: Annotated[bool, OptionalInput()] = False,
        c: Annotated[Literal["red", "green", "dark green"], OptionalInput()] = "red",
        l: Annotated[list[int], OptionalInput()] = [],  # noqa: B006
        any: Annotated[Anything, OptionalInput()] = None,
        u: Annotated[int | float, OptionalInput()] = 0,
        t: Annotated[bool | str, OptionalInput()] = "",
        n: int | None = None,
    ) -> int: ...

    @node("Join")
    def join(a: int, b: int) -> int: ...

    @node("Picture")
    def picture() -> Image: ...

    @node("Both")
    def both(x: Image | Mask) -> Image: ...

    @node("Load")
    def load(name: Annotated[str, Files("checkpoints")]) -> Image: ...

    @node("LoadImage")
    def load_image(image: Annotated[str, InputFile()]) -> Image: ...

    @node("Even", validate={"a": lambda a: f"{a} is odd" if a % 2 else None, "b": lambda b: 1 // b and None})
    def even(a: int, b: Annotated[int, OptionalInput()] = 1) -> int: ...

    @node("Switch", lazy=lambda which: ["a" if which else "b"])
    def switch(which: bool, a: Annotated[int, Lazy()], b: Annotated[int, Lazy()]) -> int: ...

    @node("Show", output_node=True)
    def show(value: Anything) -> Shown[None]: ...

    @node("Save", output_node=True)
    def save(image: Image) -> Shown[None]: ...

    return registry


WORDS = words()
FOLDERS = Folders(models=(Path("/nonexistent/models"),), input=Path("/nonexistent/input"))


def check(graph: dict[str, Any], folders: Folders = FOLDERS, **options: Any) -> BoundGraph:
    return validate(read_graph(graph), WORDS, folders, **options)


def faults(graph: dict[str, Any], folders: Folders = FOLDERS, **options: Any) -> tuple[Fault, ...]:
    with pytest.raises(ValidationError) as caught:
        check(graph, folders, **options)
    return caught.value.faults


def fault_of(class_type: str, **inputs: Any) -> Fault:
    """Return the one fault of node 1 in a graph where everything else is right."""
    graph = {"1": n(class_type, **inputs), "p": n("Picture"), "i": n("Number", value=1), "o": n("Show", value=("1", 0))}
    (fault,) = faults(graph)
    assert (fault.node, fault.outputs) == ("1", ("o",)) and fault.hint
    return fault


def literal(name: str, value: Any) -> Any:
    return check({"1": n("Values", **{name: value}), "o": n("Show", value=("1", 0))}).nodes["1"].literals[name]


def test_a_valid_graph_is_bound():
    bound = check({"1": n("Number", value="20"), "2": n("Join", a=("1", 0), b=3), "o": n("Show", value=("2", 0))})
    assert bound.targets == ("o",) and bound.faults == ()
    assert bound.nodes["1"] == BoundNode("1", WORDS["Number"], {"value": 20}, {})
    assert bound.nodes["2"].literals == {"b": 3} and bound.nodes["2"].links == {"a": Link("1", 0)}


# Each fault once.


def test_an_unknown_type():
    fault = fault_of("Jion")
    assert (fault.code, fault.class_type, fault.got, fault.expected) == ("missing_node_type", "Jion", "Jion", "Join")
    assert fault.hint == "Did you mean Join?"
    assert fault_of("Zzzzzzzzz").expected is None
    assert len(fault_of("x" * 100_000).message) < 400


def test_a_missing_input():
    fault = fault_of("Join", a=1)
    assert (fault.code, fault.input, fault.got, fault.expected) == (
        "required_input_missing", "b", None, "a value of type INT",
    )  # fmt: skip
    assert fault_of("Both").expected == "a link of type IMAGE,MASK"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (["1"], "the list is no link"),
        ([1, 2], "the list is no link"),
        (["p", 0, 0], "the list is no link"),
        (["gone", 0], "linked to node 'gone', which is not in the workflow"),
        (["p", 1], "node 'p' (Picture) has no output 1"),
        (["p", -1], "node 'p' (Picture) has no output -1"),
        (["p", 0.5], "node 'p' (Picture) has no output 0.5"),
        (["p", 10**400], "node 'p' (Picture) has no output"),
        (["p", 10**5000], "node 'p' (Picture) has no output"),
    ],
)
def test_a_bad_link(link: list[Any], said: str):
    fault = fault_of("Both", x=link)
    assert (fault.code, fault.input) == ("bad_linked_input", "x") and said in fault.message


def test_a_value_where_only_a_link_can_be():
    fault = fault_of("Both", x=5)
    assert (fault.code, fault.expected) == ("bad_linked_input", "a link to a IMAGE,MASK")


def test_a_link_of_another_type():
    fault = fault_of("Both", x=("i", 0))
    assert (fault.code, fault.input, fault.got, fault.expected) == ("return_type_mismatch", "x", "INT", "IMAGE,MASK")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("i", "two"), ("i", "1.5"), ("i", {}), ("i", None), ("i", math.nan), ("i", math.inf), ("i", "9" * 5000),
        ("f", "x"), ("f", math.nan), ("f", -math.inf), ("f", "nan"), ("f", "inf"),
        ("f", 10**400), ("f", {"__value__": 10**5000}),
        ("b", "yes"), ("b", {}), ("b", math.nan), ("s", {}), ("s", math.nan), ("s", {"__value__": 10**5000}), ("c", {}),
        ("l", 5), ("l", {"__value__": 5}), ("l", [math.nan]), ("l", [[{"a": [math.inf]}]]), ("any", math.nan),
        ("any", {"a": [math.nan]}), ("u", "x"), ("u", math.nan), ("t", {}),
    ],
)  # fmt: skip
def test_a_value_of_another_type(name: str, value: Any):
    fault = fault_of("Values", **{name: value})
    assert (fault.code, fault.input) == ("invalid_input_type", name) and fault.expected


def test_a_value_that_nests_too_deep():
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    assert "too deep" in fault_of("Values", any=deep).message
    assert fault_of("Values", l={"__value__": deep}).code == "invalid_input_type"
    assert fault_of("Values", i={"a": deep}).code == "invalid_input_type"


def test_a_value_out_of_range():
    fault = fault_of("Number", value=-11)
    assert (fault.code, fault.got, fault.expected) == ("value_smaller_than_min", "-11", "at least -10")
    fault = fault_of("Number", value=10**31)
    assert (fault.code, fault.expected) == ("value_bigger_than_max", f"at most {10**30}")
    assert fault_of("Number", value=10**5000).code == "value_bigger_than_max"
    assert fault_of("Values", f=-1.01).code == "value_smaller_than_min"


def test_a_choice_that_is_not_there():
    fault = fault_of("Values", c="dark gren")
    assert (fault.code, fault.got, fault.expected) == ("value_not_in_list", "dark gren", "dark green")
    assert fault_of("Values", c="").expected == "red, green, dark green"


def test_a_file_that_is_not_there(tmp_path: Path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "portrait.safetensors").touch()
    folders = Folders(models=(tmp_path,), input=tmp_path)
    (fault,) = faults({"1": n("Load", name="portrat.safetensors"), "o": n("Save", image=("1", 0))}, folders)
    assert (fault.code, fault.expected) == ("value_not_in_list", "portrait.safetensors")
    assert fault.hint == f"Did you mean 'portrait.safetensors'? If not, put the file into {folder}."
    fault = fault_of("Load", name="a.safetensors")
    assert "no such file" in str(fault.expected) and "/nonexistent/models/checkpoints" in str(fault.hint)
    for name in ("../a.safetensors", "/etc/passwd", "", "C:/a.png", "a\0.png", "a" * 5000 + ".png"):
        for kind, input in (("Load", "name"), ("LoadImage", "image")):
            assert fault_of(kind, **{input: name}).code == "value_not_in_list"


def test_a_check_of_the_node_itself():
    fault = fault_of("Even", a=3)
    assert (fault.code, fault.input, fault.got) == (
        "custom_validation_failed",
        "a",
        "3",
    ) and "3 is odd" in fault.message


def test_a_check_that_fails_is_a_fault():
    fault = fault_of("Even", a=2, b=0)
    assert (fault.code, fault.input) == ("exception_during_validation", "b")
    assert "its check failed: ZeroDivisionError" in fault.message


def test_nothing_to_show():
    (fault,) = faults({"1": n("Number", value=1)})
    assert (fault.code, fault.node) == ("prompt_no_outputs", None)
    (fault,) = faults({"1": n("Number", value=1), "o": n("Show", value=("1", 0))}, targets=[])
    assert fault.code == "prompt_no_outputs"


# Cycles.


def cycle(*links: tuple[str, str], out: str) -> dict[str, Any]:
    """Return a graph of Joins: each pair is a link from the first to the second."""
    graph: dict[str, Any] = {}
    for id in dict.fromkeys(id for pair in links for id in pair):
        sources = [source for source, user in links if user == id]
        inputs = dict.fromkeys("ab", 1) | {name: (source, 0) for name, source in zip("ab", sources, strict=False)}
        graph[id] = n("Join", **inputs)
    return {**graph, "o": n("Show", value=(out, 0))}


def test_a_cycle_is_named():
    found = faults(cycle(("x", "y"), ("y", "z"), ("z", "x"), out="z"))
    assert {fault.node for fault in found} == {"x", "y", "z"} and {fault.code for fault in found} == {
        "dependency_cycle"
    }
    assert {fault.got for fault in found} <= {"x -> y -> z -> x", "y -> z -> x -> y", "z -> x -> y -> z"}
    assert "(Join) -> " in found[0].message and all(fault.outputs == ("o",) for fault in found)


def test_a_node_that_feeds_itself():
    (fault,) = faults(cycle(("x", "x"), out="x"))
    assert (fault.node, fault.got) == ("x", "x -> x")


def test_cycles_that_depend_on_each_other_are_all_named():
    graph = cycle(("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c"), ("x", "x"), ("x", "d"), out="d")
    assert {frozenset(str(fault.got).split(" -> ")) for fault in faults(graph)} == {*map(frozenset, ("ab", "cd", "x"))}


def test_what_hangs_on_a_cycle_is_not_in_it():
    found = faults(cycle(("x", "y"), ("y", "x"), ("y", "z"), out="z"))
    assert {fault.node for fault in found} == {"x", "y"}


def test_a_cycle_through_a_lazy_input():
    graph = {"s": n("Switch", which=True, a=1, b=("s", 0)), "o": n("Show", value=("s", 0))}
    assert [fault.code for fault in faults(graph)] == ["dependency_cycle"]


def test_a_cycle_beside_a_valid_output_refuses_nothing():
    graph = {**cycle(("x", "y"), ("y", "x"), out="x"), "1": n("Number", value=1), "p": n("Show", value=("1", 0))}
    bound = check(graph, targets=["p"])
    assert bound.nodes.keys() == {"1", "p"} and {fault.code for fault in bound.faults} == {"dependency_cycle"}
    assert all(fault.outputs == () for fault in bound.faults)


@given(st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=3), max_size=8))
def test_a_cycle_is_found_where_one_is(edges: dict[int, set[int]]):
    sources = {str(id): {str(other) for other in others} for id, others in edges.items()}
    cycles = find_cycles(sources)
    for found in cycles:
        for source, user in zip(found, [*found[1:], found[0]], strict=True):
            assert source in sources[user]
    nodes = [id for found in cycles for id in found]
    assert len(nodes) == len(set(nodes))
    left = dict(sources)
    while free := [id for id, others in left.items() if not others & left.keys()]:
        for id in free:
            del left[id]
    assert bool(cycles) == bool(left)


# All at once, and what depends on it.


def test_all_faults_at_once_with_the_outputs_they_hit():
    graph = {
        "1": n("Number", value="x"),
        "2": n("Join", a=("1", 0)),
        "3": n("Nmber", value=1),
        "4": n("Join", a=("3", 0), b=("9", 0)),
        "5": n("Number", value=1),
        "o1": n("Show", value=("2", 0)),
        "o2": n("Show", value=("4", 0)),
        "o3": n("Show", value=("5", 0)),
        "o4": n("Save", image=("2", 0)),
    }
    with pytest.raises(ValidationError) as caught:
        check(graph)
    found = [(fault.node, fault.input, fault.code, fault.outputs) for fault in caught.value.faults]
    assert found == [
        ("1", "value", "invalid_input_type", ("o1",)),
        ("2", "b", "required_input_missing", ("o1",)),
        ("3", None, "missing_node_type", ("o2",)),
        ("4", "b", "bad_linked_input", ("o2",)),
        ("o4", "image", "return_type_mismatch", ("o4",)),
    ]
    assert str(caught.value).endswith("(and 4 more)")


BROKEN = {
    "1": n("Number", value=1),
    "2": n("Number", value="x"),
    "o1": n("Show", value=("1", 0)),
    "o2": n("Show", value=("2", 0)),
    "3": n("Unknown"),
}


def test_partial_leaves_out_what_is_hit():
    bound = check(BROKEN, partial=True)
    assert bound.targets == ("o1",) and bound.nodes.keys() == {"1", "o1"}
    assert [(fault.node, fault.outputs) for fault in bound.faults] == [("2", ("o2",)), ("3", ())]


def test_partial_refuses_when_nothing_is_left():
    (fault,) = faults({id: BROKEN[id] for id in ("2", "o2")}, partial=True)
    assert fault.node == "2"


def test_a_fault_that_hits_no_wanted_node_refuses_nothing():
    assert check(BROKEN, targets=["o1"]).nodes.keys() == {"1", "o1"}
    assert [fault.node for fault in faults(BROKEN)] == ["2"]


def test_targets_may_be_any_nodes():
    bound = check(BROKEN, targets=["1", "o1", "1"])
    assert bound.targets == ("1", "o1")
    assert check({"1": n("Number", value=1)}, also=["1"]).targets == ("1",)
    assert check({id: BROKEN[id] for id in ("1", "o1")}, also=["1"]).targets == ("o1", "1")
    with pytest.raises(WorkflowError, match="no node 'o5' to run") as caught:
        check(BROKEN, targets=["o5"])
    assert caught.value.expected in ("o1", "o2")


# Casts.


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("i", "20", 20), ("i", 2.9, 2), ("i", -2.9, -2), ("i", True, 1), ("i", 10**100, 10**100), ("i", " 7 ", 7),
        ("i", -0.0, 0), ("f", 1, 1.0), ("f", "1e3", 1000.0), ("f", True, 1.0), ("s", 5, "5"), ("s", 1.5, "1.5"),
        ("s", True, "True"), ("b", 0, False), ("b", 2, True), ("b", "false", False), ("b", "True", True),
        ("c", "green", "green"), ("l", [], []), ("l", [1, 2, 3], [1, 2, 3]), ("l", ["no", 0], ["no", 0]),
        ("l", {"__value__": ["1", 0]}, ["1", 0]), ("i", {"__value__": "3"}, 3), ("any", {"a": [1]}, {"a": [1]}),
        ("any", ["no", 0], ["no", 0]), ("any", [1, 2, 3], [1, 2, 3]), ("any", True, True), ("u", 3, 3), ("u", 3.5, 3.5),
        ("u", "4", 4), ("u", "4.5", 4.5), ("t", True, True), ("t", "x", "x"), ("t", "true", "true"), ("t", 5, True),
        ("n", 3, 3),
    ],
)  # fmt: skip
def test_casts(name: str, value: Any, right: Any):
    found = literal(name, value)
    assert found == right and type(found) is type(right)


def test_null_leaves_an_input_out_whose_default_is_none():
    bound = check({"1": n("Values", n=None, any=None), "o": n("Show", value=("1", 0))})
    assert "n" not in bound.nodes["1"].literals and "any" not in bound.nodes["1"].literals


def test_defaults_are_filled_in_and_unknown_inputs_left_out():
    bound = check({"1": n("Values", colour="red"), "o": n("Show", value=("1", 0))})
    assert bound.nodes["1"].literals == {
        "i": 1, "f": 0.0, "s": "", "b": False, "c": "red", "l": [], "u": 0, "t": "",
    }  # fmt: skip


def test_a_list_is_a_link_or_a_value_by_the_declared_type():
    graph = {"1": n("Number", value=1), "2": n("Values", any=["1", 0], l=["x", 0]), "o": n("Show", value=("2", 0))}
    bound = check(graph)
    assert bound.nodes["2"].links == {"any": Link("1", 0)} and bound.nodes["2"].literals["l"] == ["x", 0]
    graph["2"] = n("Values", l=["1", 0])
    assert [fault.code for fault in faults(graph)] == ["return_type_mismatch"]
    graph["2"] = n("Values", l={"__value__": ["1", 0]})
    assert check(graph).nodes["2"].literals["l"] == ["1", 0]


def test_a_link_may_be_a_tuple():
    graph = {"1": n("Number", value=1), "o": {"class_type": "Show", "inputs": {"value": ("1", 0)}}}
    assert check(graph).nodes["o"].links == {"value": Link("1", 0)}
    graph["2"] = {"class_type": "Join", "inputs": {"a": ("1", 0), "b": ("1", 0.0)}}
    assert check(graph).nodes["2"].links == {"a": Link("1", 0), "b": Link("1", 0)}


@pytest.mark.parametrize(
    ("given", "wanted", "fits"),
    [
        ("INT", "INT", True), ("INT", "FLOAT", False), ("*", "IMAGE", True), ("IMAGE", "*", True),
        ("IMAGE", "MASK,IMAGE", True), ("INT,MASK", "MASK", True), ("A,B", "C,D", False),
    ],
)  # fmt: skip
def test_which_outputs_fit(given: str, wanted: str, fits: bool):
    assert compatible(given, wanted) is fits


def test_the_nearest_name():
    assert nearest("ksampler", ["KSampler", "VAEDecode"]) == "KSampler"
    assert nearest("x", []) is None and nearest("zzzz", ["KSampler"]) is None


# Size.


def test_a_long_chain_is_checked_without_recursion():
    graph = {"0": n("Number", value=1)} | {f"{i}": n("Join", a=(f"{i - 1}", 0), b=1) for i in range(1, 10_000)}
    graph["o"] = n("Show", value=("9999", 0))
    assert len(check(graph).nodes) == 10_001
    graph["0"] = n("Number", value="x")
    (fault,) = faults(graph)
    assert fault.outputs == ("o",)
    graph["0"] = n("Join", a=("9999", 0), b=1)
    found = faults(graph)
    assert len(found) == 10_000 and " -> ... -> " in str(found[0].got) and len(found[0].message) < 600


# Random graphs with random damage.

DAMAGE = [
    ("class_type", "Nonsense"), ("value", math.nan), ("value", {}), ("value", "x"), ("value", -11),
    ("value", ["gone", 0]), ("value", [1, 2, 3]), ("a", ["p", 0]), ("a", [[], 0]), ("b", None),
    ("b", "1.5"), ("a", ["0", 7]), ("b", 10**400),
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["Number", "Join"]), st.integers(0, 10**6)), min_size=1, max_size=12),
    st.dictionaries(st.integers(0, 11), st.sampled_from(DAMAGE), max_size=4),
)
def test_every_damaged_node_has_a_fault_and_no_other(shape: list[tuple[str, int]], damage: dict[int, tuple[str, Any]]):
    graph: dict[str, Any] = {}
    for index, (kind, at) in enumerate(shape):
        if kind == "Number" or not index:
            graph[f"{index}"] = n("Number", value=1)
        else:
            graph[f"{index}"] = n("Join", a=(f"{at % index}", 0), b=1)
    damaged = set()
    for index, (field, value) in damage.items():
        node = graph.get(f"{index}")
        if node and field == "class_type":
            node["class_type"] = value
        elif node and field in node["inputs"]:
            node["inputs"][field] = value
        else:
            continue
        damaged.add(f"{index}")
    graph["p"] = n("Picture")
    graph |= {f"o{id}": n("Show", value=(id, 0)) for id in list(graph)}
    if damaged:
        found = faults(graph)
        assert {fault.node for fault in found} == damaged and all(fault.outputs for fault in found)
    else:
        assert check(graph).faults == ()


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.fixed_dictionaries({
            "class_type": st.sampled_from([spec.type for spec in WORDS] + ["?"]),
            "inputs": st.dictionaries(
                st.sampled_from(["value", "a", "b", "x", "image", "which", "u", "any", "l"]),
                st.tuples(st.sampled_from("abcdefg"), st.integers(-1, 1)).map(list)
                | st.integers() | st.floats() | st.text() | st.none() | st.lists(st.integers(), max_size=2),
                max_size=4,
            ),
        }),
        min_size=1,
    ),
    st.booleans(),
)  # fmt: skip
def test_any_graph_is_valid_or_says_why(graph: dict[str, Any], partial: bool):
    try:
        bound = check(graph, partial=partial)
    except WorkflowError as error:
        assert str(error)
        return
    for node in bound.nodes.values():
        assert all(link.node in bound.nodes for link in node.links.values())
    assert set(bound.targets) <= bound.nodes.keys()
