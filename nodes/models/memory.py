"""Who is evicted from memory, and which blocks of a network stay. Pure functions: no torch, no device."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
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


def victims(
    residents: Sequence[Resident], needed: int, budget: int, pinned: Collection[Hashable] = ()
) -> list[Hashable]:
    """Return who has to go so that ``needed`` bytes fit under ``budget``: the least recently used, as few as possible.

    Who is ``pinned`` stays. Where it can't fit at all, everyone else goes.
    """
    going = sorted((each for each in residents if each.key not in pinned), key=lambda resident: resident.last_use)
    fixed = [each for each in residents if each.key in pinned]
    leaving: list[Hashable] = []
    while going and held([*fixed, *going]) + needed > budget:
        leaving.append(going.pop(0).key)
    return leaving


def staying(sizes: Sequence[int], room: int) -> int:
    """Return how many blocks of a network, the first ones, can stay under ``room`` bytes; 0 where none can.

    The others come one at a time, while the next one is on its way: they need room for two of the largest.
    """
    return next((count for count in range(len(sizes), 0, -1) if taken(sizes, count) <= room), 0)


def taken(sizes: Sequence[int], count: int) -> int:
    """Return the bytes of a network's blocks of which the first ``count`` stay."""
    return sum(sizes[:count]) + 2 * max(sizes[count:], default=0)
