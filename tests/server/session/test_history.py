"""Undo and redo against a list with a place in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.session.errors import NoStep
from server.session.history import MOST_STEPS, History, Version


def version(number: int) -> Version:
    return Version({"1": {"number": number}})


@given(st.lists(st.sampled_from(["edit", "undo", "redo", "a", "b"]), max_size=40))
def test_undo_and_redo_walk_through_what_was(steps: list[str]) -> None:
    line, place, name = [version(0)], 0, None
    history, now = History(), version(0)
    for number, step in enumerate(steps, 1):
        if step in ("undo", "redo"):
            place += 1 if step == "redo" else -1
            name = None
            if 0 <= place < len(line):
                now, history = getattr(history, step)(now)
            else:
                place -= 1 if step == "redo" else -1
                with pytest.raises(NoStep):
                    getattr(history, step)(now)
                name = history.step
        else:
            named = None if step == "edit" else step
            history, now = history.after(now, named), version(number)
            line = [*line[: place + (named is None or named != name)], now]
            place, name = len(line) - 1, named
        assert now == line[place]
        assert (len(history.past), len(history.future)) == (place, len(line) - 1 - place)


def test_there_is_a_bound() -> None:
    history = History()
    for number in range(MOST_STEPS + 5):
        history = history.after(version(number), None)

    assert len(history.past) == MOST_STEPS
    assert history.undo(version(999))[0] == version(MOST_STEPS + 4)
