import io

import pytest
from rich.console import Console

from engine import events
from server.bars import Bars, time_left

PLANNED = events.Planned(1, "j", ("1",), {"2": "never run"}, ("3",), (2.0, 4.0), {"2": (2.0, 3.0), "3": (0.0, 1.0)})


@pytest.fixture
def bars():
    bars = Bars({}, Console(file=io.StringIO(), force_terminal=True, width=100))
    yield bars
    bars.close()


def shown(bars: Bars) -> dict[str, tuple[float, float | None, str]]:
    return {
        task.description.strip(): (task.completed, task.total, task.fields["count"]) for task in bars.progress.tasks
    }


def test_one_bar_for_each_running_node_and_one_for_all(bars):
    bars(PLANNED)
    assert shown(bars) == {"total": (0, 2, "0/2 nodes")}
    bars(events.Remembered(2, "j", "1", "Loader"))
    bars(events.NodeStarted(3, "j", "2", "KSampler", "never run"))
    bars(events.Progress(4, "j", "2", 5, 20))
    assert shown(bars) == {"total": (0.25, 2, "0/2 nodes"), "2 KSampler": (5, 20, "5/20")}
    bars(events.Progress(4, "j", "2", 10, 20, note="loss 0.5"))
    assert shown(bars)["2 KSampler"] == (10, 20, "10/20 loss 0.5")
    bars(events.NodeFinished(5, "j", "2", 1.0))
    assert shown(bars) == {"total": (1, 2, "1/2 nodes")}
    bars(events.Remembered(6, "j", "3", "Loader"))
    assert shown(bars) == {"total": (2, 2, "2/2 nodes")}


def test_lines_stay_above_the_bars(bars):
    for event in (
        PLANNED,
        events.Remembered(2, "j", "1", "Loader"),
        events.NodeStarted(3, "j", "2", "X", "never run"),
        events.NodeFinished(4, "j", "2", 1.0),
        events.Finished(5, "j", 1.0),
    ):
        bars(event)
    printed = bars.progress.console.file.getvalue()
    for text in ("2.0 s to 4.0 s expected", "remembered", "ran 1.0 s (never run)", "done in 1.0 s"):
        assert text in printed


def test_a_node_that_an_expansion_made_has_a_bar_and_no_part_of_the_total(bars):
    bars(PLANNED)
    bars(events.NodeStarted(2, "j", "2.1", "Inner", ""))
    bars(events.Progress(3, "j", "2.1", 1, 2))
    bars(events.NodeFinished(4, "j", "2.1", 1.0))
    assert shown(bars) == {"total": (0, 2, "0/2 nodes")}


def test_progress_without_a_maximum(bars):
    bars(PLANNED)
    bars(events.NodeStarted(2, "j", "2", "X", ""))
    bars(events.Progress(3, "j", "2", 0, 0))
    assert shown(bars)["total"] == (0, 2, "0/2 nodes")


@pytest.mark.parametrize("end", [events.Finished(2, "j", 1.0), events.Failed(2, "j", {}), events.WasCancelled(2, "j")])
def test_the_terminal_is_given_back(bars, end):
    bars(PLANNED)
    assert bars.progress.live.is_started
    bars(end)
    assert not bars.progress.live.is_started


def test_nothing_to_run_draws_nothing(bars):
    bars(events.Planned(1, "j", ("1",), {}, (), (0.0, 0.0)))
    assert not bars.progress.live.is_started


@pytest.mark.parametrize(
    ("elapsed", "done", "total", "expected", "left"),
    [
        (1.0, 0.5, 2, 10.0, 9.0),
        (12.0, 1.0, 2, 10.0, 12.0),
        (3.0, 1.0, 4, 0.0, 9.0),
        (3.0, 0.0, 4, 0.0, None),
        (3.0, 4.0, 4, 0.0, None),
        (3.0, 0.0, None, 0.0, None),
    ],
)
def test_time_left(elapsed, done, total, expected, left):
    assert time_left(elapsed, done, total, expected) == left
