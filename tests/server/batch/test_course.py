import pytest

from server.batch.course import Progress


def progress_after(monkeypatch, progress, units):
    """Return the time left after each of ``units``: when it ended, and its rows."""
    left = []
    for moment, rows in units:
        monkeypatch.setattr("time.monotonic", lambda now=moment: now)
        progress.end(rows)
        for _ in range(rows):
            progress.count("done")
        left.append(progress.left)
    return left


def test_time_left_is_told_at_the_pace_of_the_rows_after_the_first_that_loads_models(monkeypatch):
    units = [(9.0, 1), (10.0, 1), (11.0, 1), (14.0, 1)]
    assert progress_after(monkeypatch, Progress(9), units) == [None, None, 6.0, 25 / 3]


def test_rows_that_did_not_run_tell_nothing_of_the_pace(monkeypatch):
    progress = Progress(9)
    for state in ("failed", "skipped", "skipped"):
        progress.count(state)
    assert progress_after(monkeypatch, progress, [(9.0, 1), (10.0, 1), (11.0, 1)]) == [None, None, 3.0]


def test_the_pace_of_rows_that_are_sampled_together_is_that_of_their_unit(monkeypatch):
    units = [(20.0, 4), (24.0, 4), (28.0, 4)]
    assert progress_after(monkeypatch, Progress(20), units) == [None, None, 8.0]


def test_of_units_that_run_at_once_the_first_of_each_tells_nothing(monkeypatch):
    units = [(20.0, 1), (20.1, 1), (21.0, 1), (22.0, 1)]
    assert progress_after(monkeypatch, Progress(10, 2), units) == [None, None, None, pytest.approx(5.7)]
