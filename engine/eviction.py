"""Which stored values go when room is needed: those whose loss costs least per byte."""

from collections.abc import Iterable
from dataclasses import dataclass

HALF_LIFE = 24 * 3600.0
"""Seconds without use after which a value is worth half; after twice as long a third, and so on."""

FLOOR = 1e-3
"""Seconds that any value counts at least: to run a node is never free."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored value: its size in bytes, what it took to compute in seconds, when it was last used (a timestamp)."""

    digest: bytes
    nbytes: int
    cost: float
    used: float


def worth(candidate: Candidate, now: float) -> float:
    """Return seconds of work saved per byte kept, less the longer it was not used."""
    age = max(0.0, now - candidate.used)
    return float((candidate.cost + FLOOR) / candidate.nbytes / (1 + age / HALF_LIFE))


def victims(candidates: Iterable[Candidate], nbytes: int, now: float) -> list[Candidate]:
    """Return the candidates to drop, least worth first, until ``nbytes`` are freed or none is left."""
    chosen = []
    for candidate in sorted(candidates, key=lambda each: worth(each, now)):
        if nbytes <= 0:
            break
        chosen.append(candidate)
        nbytes -= candidate.nbytes
    return chosen
