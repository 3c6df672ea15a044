"""Nodes that expand, in a run: what runs inside, what is remembered and what is made again."""

from pathlib import Path

import pytest

import nodes  # noqa: F401  (registers the codec of tensors)
from engine.errors import InputError, ValidationError
from engine.events import Saved
from engine.node import Annotated, Artifact, Expanded, Hidden, LinkTo, Shown
from tests.engine.words import GROWN, Vocabulary, engine, expanding, n, ran, recorded, remembered


def test_each_call_of_a_list_expands():
    words = Vocabulary()
    graph = {
        "1": n("Range", count=3),
        "2": n("Double", a=("1", 0)),
        "3": n("Sum", values=("2", 0)),
        "4": n("Show", value=("3", 0)),
    }
    with engine(words) as e:
        _, events = recorded(e, graph)
        assert words.called("Double") == [0, 1, 2] and words.called("Sum") == [(0, 2, 4)]
        assert {id for id in ran(events) if id.startswith("2.")} == {"2.1", "2.1.2.1", "2.2.2.1"}
        assert ran(recorded(e, graph)[1]) == []
        recorded(e, graph, parameters={"1.count": 4})
        assert words.called("Double") == [0, 1, 2, 3] and words.called("Add") == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_inner_nodes_are_remembered_by_their_own_keys():
    words = expanding({"x": n("Half", a=8), "y": n("Half", a=("x", 0))}, LinkTo("y"))
    with engine(words) as e:
        e.run(GROWN)
        _, events = recorded(e, GROWN, parameters={"1.value": 7})
        assert ran(events) == ["1", "g"] and {"x", "y", "o"} <= remembered(events)
        assert words.called("Half") == [8, 4]


@pytest.mark.parametrize("memory_bytes", [0, 60])
def test_values_that_are_gone_are_made_again_by_the_inner_nodes(memory_bytes: int):
    words = Vocabulary()
    graph = {
        "1": n("Number", value=6),
        "2": n("Double", a=("1", 0)),
        "3": n("Add", a=("2", 0), b=1),
        "4": n("Show", value=("3", 0)),
    }
    with engine(words, memory_bytes=memory_bytes) as e:
        e.run(graph)
        for b in (2, 3, 4):
            result, _ = recorded(e, graph, parameters={"3.b": b}, values=["2"])
            assert result.values["2"] == ([12],) and result.outputs["4"].notes == {"text": [str(12 + b)]}


def test_output_nodes_inside_are_seen_in_every_run(tmp_path: Path):
    words = expanding({"t": n("Text", value="hello"), "s": n("Save", text=("t", 0), prefix="inner")}, 1)

    @words.registry.node("Outer")
    def outer(a: int) -> Expanded[int]:
        return Expanded({"deep": n("Grow", a=a)}, (LinkTo("deep"),))

    graph = {"1": n("Number", value=6), "g": n("Outer", a=("1", 0)), "o": n("Show", value=("g", 0))}
    path = tmp_path / "output" / "inner_00001_.txt"
    with engine(words, tmp_path) as e:
        first = e.run(graph)
        assert first.outputs["s"].files[0]["path"] == str(path) and path.read_text() == "hello"
        path.unlink()
    with engine(words, tmp_path) as e:
        result, events = recorded(e, graph)
        assert result.outputs == first.outputs and path.read_text() == "hello"
        assert [event.node for event in events if isinstance(event, Saved)] == ["s", "o"]
        assert "s" in remembered(events) and words.called("Save") == ["hello"]


def test_an_output_node_may_expand():
    words = Vocabulary()

    @words.registry.node("Report", output_node=True)
    def report(a: int) -> Expanded[None]:
        return Expanded({"s": n("Show", value=a)}, ())

    with engine(words) as e:
        assert e.run({"r": n("Report", a=5)}).outputs["s"].notes == {"text": ["5"]}


def test_a_loop_is_an_expansion_that_expands_again():
    words = Vocabulary()

    @words.registry.node("Countdown")
    def countdown(left: int, total: int) -> int | Expanded[int]:
        if not left:
            return total
        inner = {
            "add": n("Add", a=total, b=left),
            "next": n("Countdown", left=left - 1, total=("add", 0)),
        }
        return Expanded(inner, (LinkTo("next"),))

    graph = {"c": n("Countdown", left=60, total=0), "o": n("Show", value=("c", 0))}
    with engine(words) as e:
        assert e.run(graph).outputs["o"].notes == {"text": [str(sum(range(61)))]}
        assert ran(recorded(e, graph)[1]) == []


def test_a_file_made_inside_is_named_once(tmp_path: Path):
    words = Vocabulary()

    @words.registry.node("Keep", output_node=True)
    def keep(a: int) -> Shown[None]:
        return Shown(None, files=(Artifact(b"x", "keep", ".bin"),))

    expanding({"k": n("Keep", a=1)}, 1, into=words)
    with engine(words, tmp_path) as e:
        e.run(GROWN)
        e.run(GROWN, {"1.value": 7})
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["keep_00001_.bin"]


SUM = {
    "1": n("Number", value=3),
    "2": n("Number", value=4),
    "3": n("Add", a=("1", 0), b=("2", 0)),
    "4": n("Show", value=("3", 0)),
}


def test_an_expansion_takes_its_nodes_place_and_is_remembered(tmp_path: Path):
    words = Vocabulary()
    graph = {"1": n("Number", value=6), "2": n("Double", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words, tmp_path) as e:
        result, events = recorded(e, graph)
        assert result.outputs["3"].notes == {"text": ["12"]} and ran(events) == ["1", "2", "2.1", "3"]
        assert ran(recorded(e, graph)[1]) == []


def test_a_cycle_that_an_expansion_makes_is_named():
    graph = {"1": n("Number", value=6), "2": n("Circle", a=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(Vocabulary()) as e:
        with pytest.raises(
            ValidationError, match=r"2 \(Circle\) -> 2.1 \(Half\) -> 2 \(Circle\)|2.1 .* -> 2 .* -> 2.1"
        ) as caught:
            e.run(graph)
        assert {fault.code for fault in caught.value.faults} == {"dependency_cycle"}
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}


def cycling(*types: str, grow_by: int = 0) -> Vocabulary:
    """Return a vocabulary where each of these types expands into the next, and the last into the first."""
    words = Vocabulary()

    def add(type: str, other: str) -> None:
        @words.registry.node(type)
        def expands(a: int, id: Annotated[str, Hidden("UNIQUE_ID")]) -> Expanded[int]:
            words.calls.append((type, a))
            inner = {f"{id}.1": n(other, a=a + grow_by)}
            return Expanded(inner, (LinkTo(f"{id}.1"),))

    for type, other in zip(types, [*types[1:], types[0]], strict=True):
        add(type, other)
    return words


@pytest.mark.parametrize("types", [("One",), ("One", "Two"), ("One", "Two", "Three")])
def test_an_expansion_that_comes_back_to_itself_is_a_cycle(types: tuple[str, ...]):
    words = cycling(*types)
    graph = {"g": n("One", a=1), "o": n("Show", value=("g", 0))}
    with engine(words) as e:
        with pytest.raises(ValidationError) as caught:
            e.run(graph)
        assert [call for call, _ in words.calls] == list(types)
        ids = ["g" + ".1" * depth for depth in range(len(types) + 1)]
        assert {fault.code for fault in caught.value.faults} == {"dependency_cycle"}
        assert {fault.node for fault in caught.value.faults} == set(ids)
        assert {*str(caught.value.faults[0].got).split(" -> ")} == set(ids)
        assert "g (One) -> g.1" in caught.value.faults[0].message
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}


@pytest.mark.parametrize("bound", ["DEEPEST", "MOST_NODES"])
def test_an_expansion_that_grows_without_end_is_refused(bound: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(f"engine.expander.{bound}", 50)
    words = cycling("One", "Two", grow_by=1)
    with engine(words) as e:
        with pytest.raises(InputError, match="grows without end") as caught:
            e.run({"g": n("One", a=1), "o": n("Show", value=("g", 0))})
        assert len(words.calls) == 51 and "51 inside each other" in str(caught.value.got)
        assert str(caught.value.node).startswith("g.1.1") and caught.value.hint
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}


def test_a_call_that_was_expanded_may_be_made_again_beside_it():
    graph = {
        "a": n("Double", a=3),
        "b": n("Add", a=("a", 0), b=1),
        "c": n("Number", value=3),
        "d": n("Double", a=("c", 0)),
        "e": n("Add", a=("d", 0), b=("b", 0)),
        "o": n("Show", value=("e", 0)),
    }
    with engine(Vocabulary()) as e:
        assert e.run(graph).outputs["o"].notes == {"text": ["13"]}


def test_a_loop_of_two_thousand_expansions_ends():
    words = Vocabulary()

    @words.registry.node("Count")
    def count(left: int) -> int | Expanded[int]:
        if not left:
            return 0
        return Expanded({f"{left}": n("Count", left=left - 1)}, (LinkTo(f"{left}"),))

    with engine(words) as e:
        assert e.run({"g": n("Count", left=2000), "o": n("Show", value=("g", 0))}).outputs["o"].notes == {"text": ["0"]}
