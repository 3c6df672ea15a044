"""Measure a call: wall time and the CPU time of all threads, several times."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple


class Sample(NamedTuple):
    """Seconds of one call: by the clock, and of this process on all cores."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds over several calls: the medians, and the fastest by the clock."""

    wall: float
    cpu: float
    fastest: float
    repeats: int


def once(call: Callable[[], object]) -> Sample:
    """Time one call. Garbage of what ran before is collected first; collection stays on during the call."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Sample(time.perf_counter() - wall, time.process_time() - cpu)


def repeated(call: Callable[[], object], repeats: int) -> Timing:
    """Time a call ``repeats`` times."""
    return summary([once(call) for _ in range(repeats)])


def summary(samples: Sequence[Sample]) -> Timing:
    """Return what several samples come to."""
    return Timing(
        median(sample.wall for sample in samples),
        median(sample.cpu for sample in samples),
        min(sample.wall for sample in samples),
        len(samples),
    )
