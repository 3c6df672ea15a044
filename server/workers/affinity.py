"""Which worker a job goes to: where its models are warm, without making anyone wait long for that."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

LOOK_AHEAD = 16
"""Jobs at the head of the queue that are looked at."""

PATIENCE = 8
"""How often a job may be passed over for the sake of warm models."""


class Choice(NamedTuple):
    """The places of a job in the queue and of a worker, and the places of the jobs that are passed over for it."""

    job: int
    worker: int
    passed: Sequence[int] = ()


def choose(
    jobs: Sequence[Set[str]], free: Mapping[int, Set[str]], busy: Iterable[Set[str]], passed: Sequence[int]
) -> Choice:
    """Choose the next job and its worker.

    ``jobs`` are the marks of the jobs that may go next, in their order, and ``passed`` how often each was passed over;
    ``free`` and ``busy`` are the marks that are warm in the workers, the free ones in the order of their load. A job
    waits for a busy worker only where that is warm for it, no free one is, and another job can go meanwhile.
    """
    skipped: list[int] = []
    warm_elsewhere = [marks for marks in busy if marks]
    for place, marks in enumerate(jobs):
        worker = max(free, key=lambda index: len(marks & free[index]))
        fits = bool(marks & free[worker])
        patient = passed[place] < PATIENCE and any(marks & warm for warm in warm_elsewhere)
        if fits or not patient:
            return Choice(place, worker, tuple(skipped))
        skipped.append(place)
    return Choice(0, next(iter(free)))
