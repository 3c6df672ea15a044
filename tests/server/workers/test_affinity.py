from hypothesis import given
from hypothesis import strategies as st

from server.workers.affinity import PATIENCE, Choice, choose

A, B = frozenset("a"), frozenset("b")
COLD: frozenset[str] = frozenset()


def test_a_job_goes_to_the_free_worker_that_is_warm_for_it():
    assert choose([A], {0: B, 1: A}, [], [0]) == Choice(0, 1)


def test_without_a_warm_one_it_goes_to_the_first_free_worker():
    assert choose([A], {1: COLD, 0: B}, [], [0]) == Choice(0, 1)


def test_a_job_waits_for_a_warm_worker_while_another_job_uses_the_free_one():
    assert choose([A, B], {1: B}, [A], [0, 0]) == Choice(1, 1, (0,))


def test_a_job_does_not_wait_when_that_helps_nobody():
    assert choose([A, A], {1: B}, [A], [0, 0]) == Choice(0, 1)


def test_a_job_does_not_wait_for_ever():
    assert choose([A, B], {1: B}, [A], [PATIENCE, 0]) == Choice(0, 1)


def test_one_worker_alone_keeps_the_order():
    assert choose([A, B, B], {0: B}, [], [0, 0, 0]) == Choice(0, 0)


marks = st.frozensets(st.sampled_from("abc"), max_size=2)


@given(st.lists(marks, min_size=1, max_size=16), st.lists(marks, min_size=1), st.lists(marks), st.data())
def test_the_choice_is_one_that_there_is_and_patience_ends(jobs, free, busy, data):
    passed = [data.draw(st.integers(0, PATIENCE)) for _ in jobs]
    choice = choose(jobs, dict(enumerate(free)), busy, passed)
    assert 0 <= choice.job < len(jobs)
    assert 0 <= choice.worker < len(free)
    assert all(place < choice.job and passed[place] < PATIENCE for place in choice.passed)
    assert all(passed[place] < PATIENCE for place in range(choice.job))
