"""The memory tier: the values used last, under a budget of bytes."""

from collections import OrderedDict
from itertools import takewhile
from typing import Any, NamedTuple

from engine.values import Packed

OPAQUE_BYTES = 64 * 1024
"""What a value without a byte form counts: nothing can measure it."""

KEPT_RUNS = 3
"""Where there is a disk, memory keeps what so many runs used: going back to the workflow before needs no reading."""


class Cached(NamedTuple):
    """A value in memory; ``packed`` is None where it has no byte form. The two may share their bytes."""

    value: Any
    packed: Packed | None

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes if self.packed else OPAQUE_BYTES


class Memory:
    """Values by digest. Whoever adds beyond ``budget`` bytes pushes out the values used longest ago."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.nbytes = 0
        self._held: OrderedDict[bytes, tuple[Cached, int]] = OrderedDict()
        self._run = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._held

    def add(self, digest: bytes, held: Cached) -> None:
        """Keep a value as the one used last. One that is larger than the whole budget is not kept."""
        self.drop(digest)
        nbytes = held.nbytes
        if nbytes > self.budget:
            return
        self._held[digest] = (held, self._run)
        self.nbytes += nbytes
        while self.nbytes > self.budget:
            self.nbytes -= self._held.popitem(last=False)[1][0].nbytes

    def get(self, digest: bytes) -> Cached | None:
        """Return a value and make it the one used last."""
        found = self._held.get(digest)
        if found is None:
            return None
        self._held[digest] = (found[0], self._run)
        self._held.move_to_end(digest)
        return found[0]

    def begin_run(self) -> None:
        """Forget what was not used since ``KEPT_RUNS`` runs began, but for values that can't be on disk."""
        self._run += 1
        recent = self._run - KEPT_RUNS
        held = takewhile(lambda item: item[1][1] < recent, self._held.items())
        for digest in [digest for digest, (cached, _) in held if cached.packed]:
            self.drop(digest)

    def drop(self, digest: bytes) -> None:
        """Forget a value, if it is here."""
        found = self._held.pop(digest, None)
        if found is not None:
            self.nbytes -= found[0].nbytes

    def clear(self) -> None:
        """Forget every value."""
        self._held.clear()
        self.nbytes = 0
