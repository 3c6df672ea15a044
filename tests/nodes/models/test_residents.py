import pytest
import torch
from torch import nn

from engine.errors import OutOfMemory
from nodes.models.residents import Parts, Residents, gib

CPU = torch.device("cpu")
KILO = 1024


class Kept:
    """Builds layers of some KiB, and notes what it built."""

    def __init__(self, budget: int, host: int = 0) -> None:
        self.residents = Residents(CPU, budget * KILO, host * KILO)
        self.built: list[str] = []

    def get(self, name: str, kilos: int) -> nn.Module:
        def build() -> nn.Module:
            self.built.append(name)
            module = nn.Linear(kilos * KILO // 4, 1, bias=False)
            if aside := self.residents.aside(name):
                module.load_state_dict(aside[0], assign=True)
            return module

        return self.residents.get(name, kilos * KILO, build, lambda module: Parts([module]))


def test_the_least_recently_used_leaves() -> None:
    kept = Kept(10)
    for name in ("a", "b", "a", "c", "a"):
        kept.get(name, 4)
    assert kept.built == ["a", "b", "c"]
    assert kept.residents.held_bytes == 8 * KILO
    kept.get("b", 4)
    assert kept.built == ["a", "b", "c", "b"]


def test_what_is_in_use_together_stays() -> None:
    kept = Kept(10)
    with kept.residents.together():
        kept.get("a", 4)
        with kept.residents.together():
            kept.get("b", 4)
            assert kept.residents.used_bytes == 8 * KILO
        assert kept.residents.used_bytes == 4 * KILO
        assert kept.residents.room("a") == 10 * KILO
        assert kept.residents.room("b") == 6 * KILO
        kept.get("c", 8)
        kept.get("a", 4)
    assert kept.residents.used_bytes == 0
    assert kept.built == ["a", "b", "c"]


def test_reserving_makes_others_leave_and_says_what_lacks() -> None:
    kept = Kept(10)
    kept.get("old", 4)
    with kept.residents.together():
        kept.get("used", 4)
        kept.residents.reserve(6 * KILO, "It")
        assert kept.residents.held_bytes == 4 * KILO
        with pytest.raises(OutOfMemory, match=r"It needs 0.0 MiB, and 0.0 MiB of 0.0 MiB are free"):
            kept.residents.reserve(6 * KILO + 1, "It")
    kept.residents.reserve(10 * KILO, "It")


def test_freeing_spares_what_is_in_use() -> None:
    kept = Kept(100)
    kept.get("a", 4)
    with kept.residents.together():
        kept.get("b", 2)
        assert kept.residents.free() == 4 * KILO
        assert kept.residents.free() == 0
    assert kept.residents.free() == 2 * KILO


def test_what_leaves_is_put_aside_on_the_host_and_taken_from_there() -> None:
    kept = Kept(10, host=12)
    first = kept.get("a", 6).weight.data_ptr()
    kept.get("b", 6)
    assert kept.get("a", 6).weight.data_ptr() == first
    assert [len(kept.residents.aside(name)) for name in "ab"] == [1, 1]
    assert kept.built == ["a", "b", "a"]


def test_the_host_has_a_budget_too() -> None:
    kept = Kept(6, host=5)
    first = kept.get("a", 6).weight.data_ptr()
    kept.get("b", 3)
    assert not kept.residents.aside("a")
    kept.get("a", 6)
    assert kept.residents.aside("b")
    assert first != 0


def test_without_a_host_nothing_is_put_aside() -> None:
    kept = Kept(6)
    kept.get("a", 6)
    kept.get("b", 6)
    assert not kept.residents.aside("a")


def test_a_build_that_runs_out_is_tried_once_more_with_what_left() -> None:
    residents, tries = Residents(CPU, 100 * KILO), []
    residents.get("other", 1, lambda: nn.Linear(256, 1), lambda module: Parts([module]))

    def build() -> nn.Module:
        tries.append(residents.held_bytes)
        if len(tries) == 1:
            raise torch.OutOfMemoryError("full")
        return nn.Linear(1, 1)

    residents.get("new", 1, build, lambda module: Parts([module]))
    assert tries == [257 * 4, 0]


def test_a_build_that_fails_leaves_no_trace() -> None:
    residents = Residents(CPU, 100)

    def build() -> nn.Module:
        raise torch.OutOfMemoryError("full")

    with residents.together(), pytest.raises(torch.OutOfMemoryError):
        residents.get("new", 1, build, lambda module: Parts([module]))
    assert residents.peek("new") is None
    assert residents.get("new", 1, lambda: nn.Linear(1, 1), lambda module: Parts([module])) is residents.peek("new")


def test_blocks_that_pass_are_counted() -> None:
    residents = Residents(CPU, 10 * KILO)
    residents.get("a", KILO, lambda: nn.Linear(256, 1, bias=False), lambda module: Parts([module], passing_bytes=50))
    assert residents.held_bytes == KILO + 50


def test_sizes_as_a_person_reads_them() -> None:
    assert [gib(5 * 2**30), gib(2**20)] == ["5.0 GiB", "1.0 MiB"]
