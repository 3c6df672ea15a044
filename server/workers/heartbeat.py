"""Which worker that does not answer is given up: one that is frozen soon, one that is merely busy late."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

WORKING = 0.02
"""The share of a processor that a thread takes at least while it works, however many others want it. One that only
waits for Python's lock takes less than a tenth of that."""


class Activity(NamedTuple):
    """What a process has done: the seconds of processor of each thread, and whether one waits for the disk now."""

    seconds: dict[str, float]
    waits_for_disk: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds without an answer after which a worker is given up.

    Code in C that holds Python's lock lets no thread answer: a large import, a long call of a foreign library. So a
    worker in which something moves has ``silent`` seconds; one in which nothing does, which was stopped or waits for
    itself, has ``frozen``.
    """

    frozen: float = 30.0
    silent: float = 300.0

    @property
    def beat(self) -> float:
        """Seconds between two questions."""
        return min(1.0, self.frozen / 5)


@dataclass(slots=True)
class Heartbeat:
    """For how long a worker has not answered.

    Time is counted in beats that the server itself lived through: while it is stopped, or busy, nobody is silent.
    """

    limits: Limits
    asked: bool = False
    silence: float = 0.0
    stillness: float = 0.0
    _before: Activity | None = field(default=None, repr=False)

    def hear(self) -> None:
        """It said something."""
        self.asked, self.silence, self.stillness, self._before = False, 0.0, 0.0, None

    def beat(self, activity: Callable[[], Activity]) -> str | None:
        """A beat has passed since it was asked. Returns why it is given up, if it is."""
        if not self.asked:
            return None
        self.silence += self.limits.beat
        now = activity()
        if self._before is None or self._has_moved(self._before, now):
            self._before, self.stillness = now, 0.0
        else:
            self.stillness += self.limits.beat
        if self.stillness >= self.limits.frozen:
            return f"The worker was frozen: it did not answer for {self.silence:.0f} s, and nothing moved in it."
        if self.silence >= self.limits.silent:
            return f"The worker did not answer for {self.silence:.0f} s: code in C held Python's lock."
        return None

    def _has_moved(self, before: Activity, now: Activity) -> bool:
        least = WORKING * self.limits.frozen
        return now.waits_for_disk or any(
            seconds - before.seconds.get(thread, 0.0) > least for thread, seconds in now.seconds.items()
        )


def activity(pid: int) -> Activity:
    """Return what a process has done. Of one that is gone: nothing."""
    try:
        if sys.platform == "linux":
            return linux_activity(Path(f"/proc/{pid}/task"))
        return Activity({"all": sum(psutil.Process(pid).cpu_times()[:2])})
    except (OSError, psutil.Error):
        return Activity({})


def linux_activity(tasks: Path) -> Activity:
    """Return what the threads of a process have done, from proc(5)."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    seconds, waits = {}, False
    for task in tasks.iterdir():
        with suppress(OSError):  # it has just ended
            state, *fields = (task / "stat").read_text().rpartition(")")[2].split()
            seconds[task.name] = tick * (int(fields[10]) + int(fields[11]))
            waits = waits or state == "D"
    return Activity(seconds, waits)
