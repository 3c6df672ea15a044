"""What a run says of output nodes, and to whom at a time; `test_events` has the order."""

import threading
from pathlib import Path

from engine import events
from tests.engine.words import Vocabulary, engine, n


def test_an_output_node_shows_its_files_again_when_it_is_remembered(tmp_path: Path):
    saved: list[events.Saved] = []
    graph = {"o": n("Save", text="fox")}
    with engine(Vocabulary(), tmp_path) as e:
        for _ in range(2):
            e.run(graph, on_event=lambda event: saved.append(event) if isinstance(event, events.Saved) else None)
    assert [event.written for event in saved] == [True, False]
    assert saved[0].files == saved[1].files and Path(saved[0].files[0]["path"]).read_text() == "fox"


def test_one_listener_is_called_by_one_thread_at_a_time(tmp_path: Path):
    lock, clashes = threading.Lock(), []

    def listener(event: events.Event) -> None:
        if not lock.acquire(blocking=False):
            clashes.append(event)
            return
        lock.release()

    with engine(Vocabulary(), tmp_path) as e:
        waits = {f"{i}": n("Wait", seconds=0.01, tag=i) for i in range(20)}
        e.run(waits | {f"o{i}": n("Show", value=(f"{i}", 0)) for i in range(20)}, on_event=listener)
    assert clashes == []
