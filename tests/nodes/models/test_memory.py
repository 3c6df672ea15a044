from hypothesis import given
from hypothesis import strategies as st

from nodes.models.memory import Resident, held, victims

RESIDENTS = st.lists(
    st.dictionaries(st.integers(0, 8), st.just(0), max_size=4).map(lambda ids: {i: 10 * (i + 1) for i in ids}),
    max_size=8,
).map(lambda storages: [Resident(i, s, last_use=(i * 5) % 8) for i, s in enumerate(storages)])


def test_the_least_recently_used_goes_first() -> None:
    residents = [Resident("a", {1: 40}, 3), Resident("b", {2: 40}, 1), Resident("c", {3: 40}, 2)]
    assert victims(residents, needed=0, budget=120) == []
    assert victims(residents, needed=1, budget=120) == ["b"]
    assert victims(residents, needed=60, budget=120) == ["b", "c"]
    assert victims(residents, needed=500, budget=120) == ["b", "c", "a"]


def test_shared_storages_count_once() -> None:
    base, patched = Resident("base", {1: 100, 2: 5}, 1), Resident("patched", {1: 100, 3: 5}, 2)
    assert held([base, patched]) == 110
    assert victims([base, patched], needed=0, budget=110) == []
    assert victims([base, patched], needed=0, budget=109) == ["base"]


@given(RESIDENTS, st.integers(0, 200), st.integers(0, 300))
def test_what_stays_fits_and_no_one_goes_in_vain(residents: list[Resident], needed: int, budget: int) -> None:
    leaving = victims(residents, needed, budget)
    staying = [resident for resident in residents if resident.key not in leaving]
    assert not staying or held(staying) + needed <= budget
    if leaving:
        assert held([*staying, residents[leaving[-1]]]) + needed > budget  # type: ignore[call-overload]
        assert all(residents[key].last_use <= stay.last_use for key in leaving for stay in staying)  # type: ignore[call-overload]


@given(RESIDENTS, st.sets(st.integers(0, 8)), st.integers(0, 200), st.integers(0, 300))
def test_what_is_pinned_stays(residents: list[Resident], pinned: set[int], needed: int, budget: int) -> None:
    leaving = victims(residents, needed, budget, pinned)
    assert not pinned & {*leaving}
    staying = [resident for resident in residents if resident.key not in leaving]
    assert {each.key for each in staying} <= pinned or held(staying) + needed <= budget
