"""What a server knows of one worker."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from server.jobs.records import Job
from server.workers.contract import Carrier, Order, Uses
from server.workers.heartbeat import Heartbeat, Limits

SHORT_SECONDS = 0.05
"""Jobs that take less are handed out several at a time, so that the worker never waits for the next."""

MOST_HELD = 32
MOST_WARM = 12
WEIGHT = 0.2
"""Of the newest job in the running mean of their seconds."""


@dataclass(slots=True)
class WorkerState:
    """One worker: what it was handed, in order, what it runs of that, and how it has been.

    ``warm`` are marks of what it worked with lately: model files, and clients whose values it made.
    ``graces`` are the timers of jobs that were asked to stop; ``stopped`` is the one that did not, so that the worker
    was killed; ``given_up`` is why it was killed for not answering.
    """

    name: str
    carrier: Carrier
    pid: int | None = None
    prepared: bool = False
    held: deque[str] = field(default_factory=deque)
    running: str | None = None
    began: float = 0.0
    seconds: float = 1.0
    warm: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_WARM))
    stopped: str | None = None
    heartbeat: Heartbeat = field(default_factory=lambda: Heartbeat(Limits()))
    given_up: str | None = None
    graces: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    starts: int = 0
    death: str | None = None
    uses: Uses = field(default_factory=Uses)
    orders: list[Order] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether it takes orders."""
        return self.pid is not None

    @property
    def current(self) -> str | None:
        """The job that it is at: the one that it runs, or the next, which it may not have come to tell of."""
        return self.running or (self.held[0] if self.held else None)

    @property
    def load(self) -> int:
        """How many jobs it has."""
        return len(self.held) + (self.running is not None)

    @property
    def room(self) -> int:
        """How many more jobs it may be handed."""
        most = MOST_HELD if self.seconds < SHORT_SECONDS else 1
        return most - self.load if self.ready and self.stopped is None else 0

    def hold(self, job: Job) -> None:
        """It is handed a job."""
        self.held.append(job.id)
        for mark in marks(job):
            if mark in self.warm:
                self.warm.remove(mark)
            self.warm.append(mark)

    def begin(self, job: str, at: float) -> None:
        """It runs a job now."""
        self.held.remove(job)
        self.running, self.began = job, at

    def end(self, job: str, at: float) -> None:
        """It is done with a job, begun or not."""
        if timer := self.graces.pop(job, None):
            timer.cancel()
        if job != self.running:
            self.held.remove(job)
            return
        self.running = None
        self.seconds += WEIGHT * (at - self.began - self.seconds)

    def flush(self) -> None:
        """Send the orders that were gathered."""
        if self.orders:
            self.carrier.send(self.orders)
            self.orders = []

    def bury(self) -> tuple[str | None, list[str]]:
        """Take note of its death. Returns the job that it was at and those behind it."""
        current = self.current
        held = [job for job in self.held if job != current]
        for timer in self.graces.values():
            timer.cancel()
        self.graces = {}
        self.held.clear()
        self.warm.clear()
        self.pid = self.running = self.stopped = self.given_up = None
        self.prepared = False
        self.orders = []
        self.uses = Uses()
        return current, held


def marks(job: Job) -> frozenset[str]:
    """Return what a worker that ran this job has at hand for another that needs the same."""
    return frozenset((*job.models, f"client {job.client}") if job.client else job.models)
