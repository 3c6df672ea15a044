from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.eviction import Candidate, victims, worth

NOW = 1e9
candidates = st.builds(
    Candidate,
    st.binary(min_size=1, max_size=4),
    st.integers(1, 10**9),
    st.floats(0, 1e4),
    st.floats(NOW - 1e7, NOW),
)


@given(st.lists(candidates, max_size=20), st.integers(0, 10**10))
def test_enough_is_freed_and_no_victim_more_than_needed(found, nbytes):
    chosen = victims(found, nbytes, NOW)
    freed = sum(each.nbytes for each in chosen)
    assert freed >= nbytes or len(chosen) == len(found)
    assert not chosen or freed - chosen[-1].nbytes < nbytes


@given(st.lists(candidates, max_size=20), st.integers(0, 10**10))
def test_what_stays_is_worth_at_least_what_goes(found, nbytes):
    chosen = victims(found, nbytes, NOW)
    rest = list(found)
    for each in chosen:
        rest.remove(each)
    if chosen and rest:
        assert max(worth(each, NOW) for each in chosen) <= min(worth(each, NOW) for each in rest)


@given(candidates, st.floats(1, 1e6))
def test_older_larger_and_cheaper_values_are_worth_less(candidate, change):
    base = worth(candidate, NOW)
    assert worth(replace(candidate, used=candidate.used - change), NOW) < base
    assert worth(replace(candidate, nbytes=candidate.nbytes * 2), NOW) < base
    assert worth(replace(candidate, cost=candidate.cost + change), NOW) > base


def test_an_expensive_picture_outlives_a_cheap_one_of_the_same_age():
    sampled, scaled = Candidate(b"a", 1000, 30.0, NOW), Candidate(b"b", 1000, 0.1, NOW)
    assert victims([sampled, scaled], 1, NOW) == [scaled]
