"""Foreign nodes in runs of the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events
from engine.errors import NodeFailure, ValidationError
from tests.nodes.packs.classic import Bench, bench, node


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def test_a_node_gets_its_widgets_and_gives_its_outputs(classic: Bench) -> None:
    assert classic.one("Shout", text="hey", times=2) == ["HEY! HEY!", 9]
    assert classic.one("Shout", text="hey", times="1", mark="3") == ["HEY3", 4]


def test_a_node_is_remembered_and_its_pack_is_not_imported(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        assert first.one("Shout", text="hey", times=1) == ["HEY!", 4]
        assert first.ran == ["1"]
    with bench(tmp_path) as second:
        assert second.one("Shout", text="hey", times=1) == ["HEY!", 4]
        assert second.ran == []


@pytest.mark.parametrize(("inputs", "code", "input"), [
    ({"text": "a"}, "required_input_missing", "times"),
    ({"text": "a", "times": 4}, "value_bigger_than_max", "times"),
    ({"text": "a", "times": 1, "mark": "."}, "value_not_in_list", "mark"),
    ({"text": "a", "times": 1, "more": ["2", 0]}, "return_type_mismatch", "more"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(classic: Bench, inputs: dict[str, object], code: str, input: str) -> None:
    with pytest.raises(ValidationError) as caught:
        classic.run({"1": node("Shout", **inputs), "2": node("Clock", step=1)}, "1")
    assert [(each.code, each.input) for each in caught.value.faults] == [(code, input)]


def test_a_list_is_spread_over_calls_and_gathered(classic: Bench) -> None:
    graph = {
        "split": node("SplitWords", text="a b c"),
        "shout": node("Shout", text=["split", 0], times=1),
        "join": node("JoinWords", texts=["shout", 0], with_="-"),
    }
    assert classic.run(graph, "shout", "join") == [[["A!", "B!", "C!"], [2, 2, 2]], ["A!-B!-C!-join"]]


def test_a_wildcard_takes_every_link_and_inputs_that_are_not_declared(classic: Bench) -> None:
    graph = {"a": node("Clock", step=1), "1": node("FirstGiven", any_2=["a", 0], any_1="text")}
    assert classic.run(graph, "1") == [["text"]]


def test_a_value_of_a_type_with_a_widget_may_stand_in_the_workflow(classic: Bench) -> None:
    assert classic.one("Points", points={"at": [[1, 2], [3, 4]]}) == [2]


def test_an_object_without_a_byte_form_goes_from_node_to_node(classic: Bench) -> None:
    graph = {"box": node("PutIn", content=5), "out": node("TakeOut", box=["box", 0])}
    assert classic.run(graph, "out") == [[5]]
    graph["again"] = node("Shout", text="x", times=1, more=["shown", 0])
    graph["shown"] = node("Same", value=["out", 0])
    assert classic.run(graph, "out") == [[5]]
    assert classic.ran == []


@pytest.mark.parametrize("how", ["torch", "numpy", "data"])
def test_a_change_in_place_is_seen_by_no_other_node(classic: Bench, how: str) -> None:
    graph = {"p": node("Picture"), "s": node("Same", value=["p", 0]), "d": node("Darken", image=["s", 0], how=how)}
    for _ in range(2):
        found = classic.run(graph, "p", "s", "d")
        assert [float(each[0].max()) for each in found] == [1.0, 1.0, 0.5]


def test_a_lazy_input_is_made_when_it_is_asked_for(classic: Bench) -> None:
    graph = {
        "a": node("Shout", text="a", times=1),
        "b": node("Shout", text="b", times=1),
        "1": node("ChooseLazily", first=False, a=["a", 0], b=["b", 0]),
    }
    assert classic.run(graph, "1") == [["B!"]]
    assert classic.ran == ["1", "b", "1"]
    del graph["1"]["inputs"]["b"]
    assert classic.run(graph, "1") == [["nothing"]]


def test_a_graph_takes_the_place_of_a_node_with_values_in_it(classic: Bench) -> None:
    graph = {"1": node("Twice", text="hey"), "2": node("TakeOut", box=["1", 1])}
    assert classic.run(graph, "2") == [["kept"]]
    assert classic.run({"1": graph["1"], "3": node("Same", value=["1", 0])}, "3") == [["HEY!? HEY!?"]]


def test_a_loop_ends(classic: Bench) -> None:
    assert classic.one("CountDown", left=5, sum=0) == [15]


def test_a_node_may_get_the_link_itself_and_see_the_nodes_of_expansions(classic: Bench) -> None:
    graph = {"s": node("Shout", text="a", times=1), "1": node("Copied", of=["s", 0], times=3)}
    assert classic.run(graph, "1") == [["A321!"]]
    graph["s"]["inputs"]["times"] = 2
    assert classic.run(graph, "1") == [["A321! A321!"]]


def test_a_block_stops_what_comes_after_it(classic: Bench) -> None:
    graph = {
        "gate": node("Gate", text="x", open=False),
        "1": node("Shout", text=["gate", 0], times=1),
        "2": node("Shout", text=["gate", 1], times=1),
    }
    assert classic.run(graph, "2") == [["X!", 2]]
    classic.run(graph, "1", "2")
    assert (classic.warned, classic.ran) == (["closed"], [])


def test_an_async_node_is_awaited(classic: Bench) -> None:
    assert classic.one("Later", text="abc") == ["cba"]


def test_what_a_node_shows_is_told_each_time_with_its_hidden_inputs(
    classic: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = {"a": node("Shout", text="a", times=1), "1": node("Tell", text=["a", 0])}
    for _ in range(2):
        shown = classic.engine.run(graph, extra={"workflow": {}}).outputs["1"]
        assert dict(shown.notes) == {"text": ["A!"], "same": [True], "key": [None]}
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "told\n")


def test_a_failure_names_the_node_and_what_was_raised(classic: Bench) -> None:
    with pytest.raises(NodeFailure, match=r"Points failed: KeyError: 'at'") as caught:
        classic.one("Points", points={})
    assert caught.value.node == "1"


def test_a_file_that_a_node_wrote_itself_is_told_and_written_again_when_it_is_gone(
    classic: Bench, tmp_path: Path
) -> None:
    graph = {"1": node("KeepFile", text="a")}
    file = tmp_path / "output" / "kept" / "kept.txt"
    for writes in (True, False, True):
        if writes:
            file.unlink(missing_ok=True)
        seen: list[events.Event] = []
        shown = classic.engine.run(graph, on_event=seen.append).outputs["1"]
        assert [(each["path"], each["kind"]) for each in shown.files] == [(str(file), "files")]
        assert (dict(shown.notes), file.read_text()) == ({"text": ["a"]}, "a")
        assert [each.written for each in seen if isinstance(each, events.Saved)] == [writes]


def test_a_node_that_reads_the_workflow_sees_it_as_it_is(classic: Bench) -> None:
    graph = {"s": node("Shout", text="a", times=1), "p": node("Peek", id="s"), "l": node("Later", text=["p", 0])}
    assert classic.run(graph, "l") == [["a"]]
    graph["s"] = node("Shout", text="bc", times=1)
    assert (classic.run(graph, "l"), classic.ran) == ([["cb"]], ["p", "l"])
    assert (classic.run(graph, "l"), classic.ran) == ([["cb"]], ["p"])
