"""The calls of one node on a lane."""

from pathlib import Path

from tests.engine.words import Vocabulary, engine, n, ran, recorded


def words() -> Vocabulary:
    words = Vocabulary()

    @words.registry.node("Bits")
    def bits() -> list[int]:
        return [1, 0, 1, 1]

    @words.registry.node("Later")
    async def later(a: int) -> int:
        words.calls.append(("Later", a))
        return a

    @words.registry.node("Word")
    def word(a: int) -> str:
        return f"{a}"

    return words


def test_equal_calls_of_one_list_are_made_once(tmp_path: Path):
    vocabulary = words()
    graph = {"b": n("Bits")}
    for i, node in enumerate(("Half", "Later", "Double")):
        graph |= {f"{i}": n(node, a=("b", 0)), f"s{i}": n("Sum", values=(f"{i}", 0))}
    graph |= {"w": n("Word", a=("b", 0)), "f": n("Save", text=("w", 0))}
    with engine(vocabulary, tmp_path) as e:
        result = e.run(graph, targets=["f"], values=["s0", "s1", "s2"])
        assert result.values == {"s0": ([0],), "s1": ([3],), "s2": ([6],)}
        assert [vocabulary.called(node) for node in ("Half", "Later", "Double")] == [[1, 0]] * 3
        assert vocabulary.called("Save") == ["1", "0"]
        names = [file["filename"] for file in result.outputs["f"].files]
        assert names == ["text_00001_.txt", "text_00002_.txt", "text_00001_.txt", "text_00001_.txt"]
        assert recorded(e, graph, targets=["f"])[0].outputs["f"].files == result.outputs["f"].files


def test_a_lazy_node_of_a_list_is_remembered_stage_by_stage(tmp_path: Path):
    graph = {
        "c": n("Bits"),
        "x": n("Number", value=10),
        "y": n("Number", value=20),
        "s": n("Switch", condition=("c", 0), a=("x", 0), b=("y", 0)),
        "t": n("Sum", values=("s", 0)),
        "o": n("Show", value=("t", 0)),
    }
    for expected in ([1, 0], []):
        vocabulary = words()
        with engine(vocabulary, tmp_path) as e:
            result, events = recorded(e, graph)
            assert result.outputs["o"].notes == {"text": ["50"]} and vocabulary.called("Switch") == expected
            assert bool(ran(events)) is bool(expected)


def test_impure_calls_of_one_list_are_each_made():
    vocabulary = Vocabulary()

    @vocabulary.registry.node("Dice", pure=False)
    def dice(a: int) -> int:
        vocabulary.calls.append(("Dice", a))
        return a

    graph = {"r": n("Range", count=1), "d": n("Dice", a=("r", 0)), "s": n("Sum", values=("d", 0))}
    with engine(vocabulary) as e:
        e.run(graph, targets=["s"])
        e.run(graph, targets=["s"])
    assert vocabulary.called("Dice") == [0, 0]
