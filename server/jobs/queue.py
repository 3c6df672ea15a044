"""The order in which jobs run: higher priority first, then the lowest number."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from server.jobs.records import Job

Place = tuple[int, float, float, str]


class Queue:
    """The queued jobs in their order. Pure: it neither reads nor writes anything else."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._jobs: dict[str, Job] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, id: str) -> bool:
        return id in self._jobs

    def __iter__(self) -> Iterator[Job]:
        return (self._jobs[place[-1]] for place in self._places)

    def first(self, count: int) -> list[Job]:
        """Return the jobs that run next, ``count`` at most."""
        return list(islice(self, count))

    def put(self, job: Job) -> None:
        """Add a job, or put it where it belongs now."""
        self.take(job.id)
        self._jobs[job.id] = job
        insort(self._places, _place(job))

    def take(self, id: str) -> Job | None:
        """Remove a job and return it, if it is there."""
        job = self._jobs.pop(id, None)
        if job is not None:
            del self._places[bisect_left(self._places, _place(job))]
        return job

    def front(self, priority: int, beyond: float) -> float:
        """Return a number that comes before all jobs of a priority, and before ``beyond``."""
        at = bisect_left(self._places, (-priority, float("-inf"), 0.0, ""))
        first = self._places[at] if at < len(self._places) else None
        return min(beyond, first[1] if first and first[0] == -priority else beyond) - 1

    def reordered(self, ids: Sequence[str]) -> list[Job]:
        """Return these jobs as they would be if, in this order, they took the places that they hold now."""
        jobs = [self._jobs[id] for id in ids]
        numbered: list[Job] = []
        for job, (rank, number, *_) in zip(jobs, sorted(map(_place, jobs)), strict=True):
            before = numbered[-1] if numbered else None
            if before and before.priority == -rank and before.number >= number:
                number = before.number + 1e-6
            numbered.append(replace(job, priority=-rank, number=number))
        return numbered


def _place(job: Job) -> Place:
    return (-job.priority, job.number, job.created, job.id)
