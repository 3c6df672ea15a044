"""Costs and rows of the newest results, of this process and of others."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.recent import SAMPLES, Window
from engine.rows import Row
from engine.store import Store
from engine.upkeep import Costs


def open_store(folder: Path | None) -> Store:
    return Store(folder, memory_bytes=0, disk_bytes=10**6)


def test_costs_are_the_tenth_the_middle_and_the_ninetieth_of_the_newest():
    with open_store(None) as store:
        assert store.recent.costs("Add") is None
        for cost in (*[1000.0] * 10, *map(float, range(SAMPLES))):
            store.recent.add("Add", cost)
        assert store.recent.costs("Add") == Costs(10.0, 50.0, 90.0)
        store.clear()
        assert store.recent.costs("Add") is None


def test_what_another_process_wrote_is_known_after_a_refresh(tmp_path: Path):
    with open_store(tmp_path) as ours, open_store(tmp_path) as theirs:
        assert ours.recent.costs("Add") is None and ours.recent.rows("Add", 8) == []
        rows = [Row(cost=2.0), Row(cost=4.0)]
        for key, row in enumerate(rows):
            theirs.put(b"%d" % key, row, {}, type="Add")
            theirs.flush()
        assert ours.recent.costs("Add") is None and ours.recent.rows("Add", 8) == []
        ours.recent.refresh()
        assert ours.recent.costs("Add") == Costs(2.0, 2.0, 4.0)
        assert ours.recent.rows("Add", 8) == rows[::-1] and ours.recent.rows("Add", 1) == rows[1:]


def test_what_this_process_writes_is_no_reason_to_look_at_the_disk_again(tmp_path: Path):
    with open_store(tmp_path) as ours, open_store(tmp_path) as theirs:
        ours.recent.refresh()
        assert ours.recent.rows("Add", 8) == []
        ours.put(b"1", Row(cost=2.0), {}, type="Add")
        ours.flush()
        ours.recent.refresh()
        assert ours.recent.rows("Add", 8) == [] and ours.recent.costs("Add") == Costs(2.0, 2.0, 2.0)
        theirs.put(b"2", Row(cost=4.0), {}, type="Add")
        theirs.flush()
        ours.recent.refresh()
        assert [row.cost for row in ours.recent.rows("Add", 8)] == [4.0, 2.0]


@given(st.lists(st.floats(0, 10), max_size=2 * SAMPLES), st.lists(st.floats(0, 10), max_size=2 * SAMPLES))
def test_a_window_is_that_of_its_newest_samples(before: list[float], after: list[float]):
    window = Window(before)
    for seconds in after:
        window.add(seconds)
    newest = sorted([*before, *after][-SAMPLES:])
    middle = newest[round((len(newest) - 1) / 2)] if newest else None
    assert (found.median if (found := window.costs()) else None) == middle
    assert window.costs() == Window(newest).costs()
