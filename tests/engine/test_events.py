"""Events: numbered in order, with a last one; and listeners that raise."""

import threading
import time
from typing import Any

import pytest

from engine.errors import Cancelled, NodeFailure
from engine.events import Event, Failed, Finished, NodeStarted, Progress, Started, WasCancelled
from tests.engine.words import Vocabulary, engine, n, recorded

GRAPH = {
    "1": n("Number", value=3),
    "d": n("Device", seconds=0.02),
    "s": n("Sleep", seconds=0.01),
    "w": n("Wait", seconds=0.01),
    "f": n("Half", a=("1", 0)),
} | {f"o{id}": n("Show", value=(id, 0)) for id in "dswf"}


def test_events_are_numbered_and_told_one_at_a_time():
    busy = threading.Lock()
    events: list[Event] = []

    def listen(event: Event) -> None:
        assert busy.acquire(blocking=False)
        events.append(event)
        time.sleep(0.0005)
        busy.release()

    with engine(Vocabulary()) as e:
        e.run(GRAPH, on_event=listen, job="j")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert {event.job for event in events} == {"j"}
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)


def test_the_last_event_says_how_it_ended():
    events: list[Event] = []
    with engine(Vocabulary()) as e:
        with pytest.raises(NodeFailure):
            e.run({**GRAPH, "x": n("Fail", a=("1", 0)), "ox": n("Show", value=("x", 0))}, on_event=events.append)
        assert isinstance(events[-1], Failed) and events[-1].error["node"] == "x"
        stop = threading.Event()
        stop.set()
        with pytest.raises(Cancelled):
            e.run({"1": n("Number", value=99), "o": n("Show", value=("1", 0))}, on_event=events.append, cancel=stop)
        assert isinstance(events[-1], WasCancelled)


class Deaf(Exception):
    """What a listener raises."""


@pytest.mark.parametrize("kind", ["Started", "Planned", "NodeStarted", "Progress", "NodeFinished", "Saved", "Finished"])
def test_a_listener_that_raises_ends_the_run_with_its_own_error(kind: str):
    words = Vocabulary()
    heard: list[str] = []

    def listen(event: Event) -> None:
        heard.append(type(event).__name__)
        if heard[-1] == kind:
            raise Deaf(kind)

    with engine(words) as e:
        with pytest.raises(Deaf, match=kind):
            e.run(GRAPH, on_event=listen)
        assert heard[-1] == kind and heard.count(kind) == 1
        result, events = recorded(e, GRAPH)
        assert result.outputs["of"].notes == {"text": ["1"]} and isinstance(events[-1], Finished)


def test_a_listener_that_raises_lets_others_have_its_keys():
    words = Vocabulary()
    graph = {"1": n("Hold", value=3), "2": n("Show", value=("1", 0))}
    results: list[Any] = []
    started = threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, NodeStarted):
            started.set()
            raise Deaf

    with engine(words) as e:

        def fail() -> None:
            with pytest.raises(Deaf):
                e.run(graph, on_event=listen)

        first = threading.Thread(target=fail)
        first.start()
        assert started.wait(10)
        second = threading.Thread(target=lambda: results.append(e.run(graph).outputs["2"].notes))
        second.start()
        time.sleep(0.05)
        words.gate.set()
        first.join(10)
        second.join(10)
    assert results == [{"text": ["3"]}]


def test_progress_is_told_from_the_lane():
    with engine(Vocabulary()) as e:
        _, events = recorded(e, {"d": n("Device", seconds=0.02), "o": n("Show", value=("d", 0))})
    kinds = [type(event) for event in events if getattr(event, "node", None) == "d"]
    assert kinds[0] is NodeStarted and Progress in kinds
