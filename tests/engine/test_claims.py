"""Who computes a key when several runs need it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.binding import BoundNode
from engine.claims import Claims
from engine.errors import Cancelled, LoomisError, NodeFailure
from engine.flights import Flights
from engine.folders import Folders
from engine.keys import CallInputs
from engine.memo import Memo
from engine.objects import Objects
from engine.rows import Row
from engine.store import Store
from engine.task import Task
from engine.types import Anything
from engine.values import Packed
from tests.engine.words import Vocabulary, engine, n


def test_two_runs_that_need_the_same_key_compute_it_once():
    words = Vocabulary()
    graph = {"1": n("Hold", value=3), "2": n("Show", value=("1", 0))}
    results = []
    with engine(words) as e:
        threads = [threading.Thread(target=lambda: results.append(e.run(graph))) for _ in range(5)]
        for thread in threads:
            thread.start()
        while not words.called("Hold"):
            time.sleep(0.01)
        time.sleep(0.1)
        words.gate.set()
        for thread in threads:
            thread.join()
    assert words.called("Hold") == [3] and [result.outputs["2"].notes for result in results] == [{"text": ["3"]}] * 5


def test_a_waiting_run_takes_over_from_one_that_was_cancelled():
    words = Vocabulary()
    graph = {"1": n("Device", seconds=1.0), "2": n("Show", value=("1", 0))}
    cancel = threading.Event()
    with engine(words) as e:

        def run_and_be_cancelled() -> None:
            with pytest.raises(Cancelled):
                e.run(graph, cancel=cancel)

        first = threading.Thread(target=run_and_be_cancelled)
        first.start()
        time.sleep(0.2)
        threading.Timer(0.2, cancel.set).start()
        assert "gpu" in e.run(graph).outputs["2"].notes["text"][0]
        first.join()


def test_runs_that_wait_for_one_that_fails_try_themselves():
    words = Vocabulary()
    attempts: Iterator[int] = iter(range(10))

    @words.registry.node("Flaky", resource="io")
    def flaky(a: int) -> int:
        attempt = next(attempts)
        words.calls.append(("Flaky", attempt))
        if attempt == 0:
            words.gate.wait(10)
            raise ValueError("not the first")
        return a

    graph = {"1": n("Flaky", a=3), "2": n("Show", value=("1", 0))}
    results: list[object] = []

    def run() -> None:
        try:
            results.append(e.run(graph).outputs["2"].notes["text"])
        except LoomisError as error:
            results.append(type(error))

    with engine(words) as e:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        while not words.called("Flaky"):
            time.sleep(0.005)
        time.sleep(0.05)
        words.gate.set()
        for thread in threads:
            thread.join(10)
    assert sorted(map(str, results)) == ["<class 'engine.errors.NodeFailure'>"] + ["['3']"] * 3
    assert words.called("Flaky") == [0, 1]


def test_nodes_of_one_list_that_share_calls_with_another_wait_for_them():
    words = Vocabulary()

    @words.registry.node("Slow", resource="io")
    def slow(a: int) -> int:
        words.calls.append(("Slow", a))
        time.sleep(0.02)
        return a

    graph = {
        "r3": n("Range", count=3),
        "r4": n("Range", count=4),
        "a": n("Slow", a=("r3", 0)),
        "b": n("Slow", a=("r4", 0)),
        "s": n("Sum", values=("a", 0)),
        "t": n("Sum", values=("b", 0)),
    }
    with engine(words) as e:
        assert e.run(graph, values=["s", "t"]).values == {"s": ([3],), "t": ([6],)}
    assert sorted(words.called("Slow")) == [0, 1, 2, 3]


def test_a_failed_run_leaves_no_key_taken():
    words = Vocabulary()
    graph = {"1": n("Number", value=1), "f": n("Fail", a=("1", 0))}
    graph |= {f"w{i}": n("Wait", seconds=0.01, tag=i) for i in range(40)}
    graph |= {f"o{id}": n("Show", value=(id, 0)) for id in list(graph)}
    with engine(words) as e:
        for _ in range(2):
            with pytest.raises(NodeFailure):
                e.run(graph)
        assert e._shared.flights._waiting == {}


def test_two_engines_on_one_store_share_the_calls_of_a_list(tmp_path: Path):
    """The lists overlap, and neither begins with what the other does."""
    words = Vocabulary()

    @words.registry.node("Slow", resource="gpu")
    def slow(a: int) -> int:
        words.calls.append(("Slow", a))
        time.sleep(0.05)
        return a

    @words.registry.node("Down")
    def down(count: int) -> list[int]:
        return list(range(count, 0, -1))

    graphs = [
        {"r": n(first, count=4), "s": n("Slow", a=("r", 0)), "t": n("Sum", values=("s", 0))}
        for first in ("Range", "Down")
    ]
    results = []
    with engine(words, tmp_path) as one, engine(words, tmp_path) as other:
        threads = [
            threading.Thread(target=lambda e=e, graph=graph: results.append(e.run(graph, values=["t"]).values["t"]))
            for e, graph in zip((one, other), graphs, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [([6],), ([10],)]
    assert sorted(words.called("Slow")) == [0, 1, 2, 3, 4]


def test_a_large_write_does_not_delay_the_next_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = Vocabulary()
    written: list[float] = []
    write = Objects.write

    def slow_write(objects: Objects, digest: bytes, packed: Packed) -> None:
        assert words.gate.wait(10)
        write(objects, digest, packed)
        written.append(time.monotonic())

    monkeypatch.setattr(Objects, "write", slow_write)

    @words.registry.node("Large", resource="gpu")
    def large(seed: int) -> Anything:
        time.sleep(0.1)
        return seed.to_bytes(4) * 50_000

    @words.registry.node("Measure", resource="gpu")
    def measure(data: Anything) -> int:
        assert not written
        words.gate.set()
        return len(data)

    graph = {"1": n("Large", seed=1), "2": n("Measure", data=("1", 0)), "3": n("Show", value=("2", 0))}
    with engine(words, tmp_path) as e:
        assert e.run(graph).outputs["3"].notes == {"text": ["200000"]}
        e.store.flush()
        assert len(written) == 1 and e.store._index.read("SELECT count(*) FROM leases") == [(0,)]


def test_a_task_lets_go_of_the_keys_that_it_took_and_of_no_others():
    flights, again = Flights(), []
    with Store(None, memory_bytes=10**6, disk_bytes=0) as store:
        claims = Claims(Memo(store, Folders()), flights, again.append, lambda message: message())
        task = Task(BoundNode("1", Vocabulary().registry["Half"], {}, {}))
        task.calls, task.rows = [CallInputs(b"remembered", {}), CallInputs(b"missing", {})], [Row(), None]
        assert flights.take([b"remembered"], lambda: None)  # somebody makes that one again
        assert claims.take(task, [1]) and not flights.take([b"missing"], lambda: None)
        claims.release(task)
        assert flights.take([b"missing"], lambda: None) and not flights.take([b"remembered"], lambda: None)
        assert not claims.take(task, [1]) and claims.parked == {task} and again == []
        flights.land([b"missing"])
        assert claims.parked == set() and again == [task]
