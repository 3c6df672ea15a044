"""Live mode: one run at a time, always for the newest graph, never for one in between."""

from hypothesis import given
from hypothesis import strategies as st

from server.session.live import Live, Start, Stop
from server.session.session import Aim


def aim(value: int) -> Aim:
    return Aim(("o",), {"o": {"class_type": "Show", "inputs": {"value": value}}})


def test_the_first_wish_starts_a_run() -> None:
    live = Live()

    assert live.want(aim(1), 1, "a") == Start("a", aim(1), 1)
    assert live.job == "a"


def test_an_edit_supersedes_the_run_in_flight() -> None:
    live = Live()
    live.want(aim(1), 1, "a")

    assert live.want(aim(2), 2, "b") == Stop("a")
    assert live.want(aim(3), 3, "c") is None
    assert live.ended("a") == Start("c", aim(3), 3)
    assert live.ended("c") is None
    assert live.job is None


def test_an_edit_that_touches_nothing_lets_the_run_go_on() -> None:
    live = Live()
    live.want(aim(1), 1, "a")

    assert live.want(aim(1), 2, "b") is None
    assert live.ended("a") is None


def test_a_run_that_is_being_stopped_does_not_count_even_for_the_same_graph() -> None:
    live = Live()
    live.want(aim(1), 1, "a")
    live.want(aim(2), 2, "b")

    assert live.want(aim(1), 3, "c") is None
    assert live.ended("a") == Start("c", aim(1), 3)


def test_rest_stops_what_runs_and_forgets_what_waits() -> None:
    live = Live()
    assert live.rest() is None
    live.want(aim(1), 1, "a")
    live.want(aim(2), 2, "b")

    assert live.rest() is None
    assert live.ended("a") is None
    live.want(aim(3), 3, "c")
    assert live.rest() == Stop("c")


def test_other_jobs_mean_nothing() -> None:
    live = Live()
    live.want(aim(1), 1, "a")

    assert live.ended("x") is None
    assert live.job == "a"


@given(st.lists(st.integers(0, 3) | st.just("end"), max_size=40))
def test_the_newest_graph_runs_in_the_end_and_never_two_at_once(steps: list[int | str]) -> None:
    live = Live()
    running: Start | None = None
    stopped: set[str] = set()
    newest: Aim | None = None
    finished: list[Start] = []
    for number, step in enumerate([*steps, "end", "end"]):
        if isinstance(step, int):
            newest = aim(step)
            todo = live.want(newest, number, f"job {number}")
        elif running is None:
            continue
        else:
            ended, running = running, None
            finished.append(ended)
            todo = live.ended(ended.job)
        if isinstance(todo, Start):
            assert running is None
            running = todo
        elif isinstance(todo, Stop):
            assert running and todo.job == running.job and todo.job not in stopped
            stopped.add(todo.job)

    whole = [run for run in finished if run.job not in stopped]
    assert running is None
    assert newest is None or whole[-1].aim == newest
