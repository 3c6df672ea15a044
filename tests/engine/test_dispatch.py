"""Where nodes run: what overlaps, what keeps its thread, and how they end."""

import threading
import time

import pytest

from engine import Engine
from engine.errors import Cancelled
from engine.events import (
    Event,
    NodeFinished,
    NodeStarted,
    Progress,
    WasCancelled,
)
from engine.lanes import Lanes
from engine.settings import Settings
from tests.engine.words import Vocabulary, engine, n, ran, recorded

SUM = {
    "1": n("Number", value=3),
    "2": n("Number", value=4),
    "3": n("Add", a=("1", 0), b=("2", 0)),
    "4": n("Show", value=("3", 0)),
}


def test_waits_on_the_io_lane_overlap():
    graph = {f"{i}": n("Wait", seconds=0.5, tag=i) for i in range(4)} | {
        f"o{i}": n("Show", value=(f"{i}", 0)) for i in range(4)
    }
    with engine(Vocabulary()) as e:
        _, events = recorded(e, graph)
    order = [type(event) for event in events if isinstance(event, NodeStarted | NodeFinished) and event.node in "0123"]
    assert order == [NodeStarted] * 4 + [NodeFinished] * 4


def test_async_nodes_overlap():
    graph = {f"{i}": n("Sleep", seconds=0.3, tag=i) for i in range(4)} | {
        f"o{i}": n("Show", value=(f"{i}", 0)) for i in range(4)
    }
    with engine(Vocabulary()) as e:
        _, events = recorded(e, graph)
    order = [type(event) for event in events if isinstance(event, NodeStarted | NodeFinished) and event.node in "0123"]
    assert order == [NodeStarted] * 4 + [NodeFinished] * 4


def test_a_cpu_branch_runs_while_the_device_is_busy():
    graph = {"d": n("Device", seconds=0.5), "od": n("Show", value=("d", 0))}
    graph |= {"1": n("Number", value=1), "2": n("Half", a=("1", 0)), "o": n("Show", value=("2", 0))}
    with engine(Vocabulary()) as e:
        result, events = recorded(e, graph)
    assert ran(events).index("o") < ran(events).index("d")
    assert "gpu" in result.outputs["od"].notes["text"][0]


def test_a_device_keeps_its_thread():
    with engine(Vocabulary()) as e:
        names = {
            e.run({"1": n("Device", seconds=i / 1000), "2": n("Show", value=("1", 0))}).outputs["2"].notes["text"][0]
            for i in range(5)
        }
    assert len(names) == 1


def test_progress_is_told():
    with engine(Vocabulary()) as e:
        _, events = recorded(e, {"1": n("Device", seconds=0.02), "2": n("Show", value=("1", 0))})
    assert {(event.node, event.value, event.maximum) for event in events if isinstance(event, Progress)} == {
        ("1", 0, 1)
    }


@pytest.mark.parametrize("node", ["Device", "Sleep"])
def test_a_cancelled_run_stops_within_a_step(node: str):
    cancel = threading.Event()
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, NodeStarted):
            cancel.set()

    with engine(Vocabulary()) as e:
        began = time.monotonic()
        with pytest.raises(Cancelled):
            e.run({"1": n(node, seconds=8.0), "2": n("Show", value=("1", 0))}, on_event=listen, cancel=cancel)
        assert time.monotonic() - began < 4
        assert isinstance(events[-1], WasCancelled)
        assert e.run(SUM).outputs["4"].notes == {"text": ["7"]}


def test_engines_on_two_devices_share_lanes_and_do_not_queue_behind_each_other():
    words, together = Vocabulary(), threading.Barrier(2)

    @words.registry.node("Meet", resource="gpu")
    def meet(tag: int) -> str:
        together.wait(10)
        return threading.current_thread().name

    def run(e: Engine, tag: int) -> list[str]:
        return e.run({"1": n("Meet", tag=tag)}, targets=["1"], values=["1"]).values["1"][0]

    lanes = Lanes()
    names: list[str] = []
    engines = [engine(words, settings=Settings(device=device), lanes=lanes) for device in ("cuda:0", "cuda:1")]
    threads = [
        threading.Thread(target=lambda e=e, i=i: names.extend(run(e, i)))  # type: ignore[misc]
        for i, e in enumerate(engines)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for e in engines:
        e.close()
    assert len(set(names)) == 2 and all("cuda" in name for name in names)
    lanes.submit("gpu", "cuda:0", together.reset)  # closing an engine left the lanes open
    lanes.close()
