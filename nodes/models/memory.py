"""Who is evicted from memory. Pure functions: no torch, no device."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resident:
    """Something in memory: its storages by identity with their bytes, and when it was last used (a counter)."""

    key: Hashable
    storages: Mapping[int, int]
    last_use: int


def held(residents: Iterable[Resident]) -> int:
    """Return the bytes of all residents together; a storage that several share counts once."""
    together: dict[int, int] = {}
    for resident in residents:
        together |= resident.storages
    return sum(together.values())


def victims(residents: Sequence[Resident], needed: int, budget: int) -> list[Hashable]:
    """Return who has to go so that ``needed`` bytes fit under ``budget``: the least recently used, as few as possible.

    Where it can't fit at all, everyone goes.
    """
    staying = sorted(residents, key=lambda resident: resident.last_use)
    leaving: list[Hashable] = []
    while staying and held(staying) + needed > budget:
        leaving.append(staying.pop(0).key)
    return leaving
