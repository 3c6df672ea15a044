"""Live mode: which run comes next as the graph is edited. A pure machine; what it returns is to be done.

At most one run is under way. An edit that touches what the run is for cancels it, and when it has ended the newest
graph runs; those in between never do. An edit that touches nothing of it lets it go on.
"""

from dataclasses import dataclass

from server.session.session import Aim


@dataclass(frozen=True, slots=True)
class Start:
    """Submit a run under this id."""

    job: str
    aim: Aim
    revision: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Cancel a run."""

    job: str


class Live:
    """The runs of one session in live mode. ``name`` gives a new job its id."""

    def __init__(self) -> None:
        self._flight: Start | None = None
        self._stopping = False
        self._next: Start | None = None

    @property
    def job(self) -> str | None:
        """The run that is under way."""
        return self._flight.job if self._flight else None

    def want(self, aim: Aim, revision: int, job: str) -> Start | Stop | None:
        """Have this be run; under the id ``job`` if it is run."""
        wanted = Start(job, aim, revision)
        if self._flight is None:
            self._flight = wanted
            return wanted
        if self._flight.aim == aim and not self._stopping:
            return None
        self._next = wanted
        return self._stop()

    def rest(self) -> Stop | None:
        """Have nothing be run."""
        self._next = None
        return self._stop() if self._flight else None

    def _stop(self) -> Stop | None:
        if self._stopping or self._flight is None:
            return None
        self._stopping = True
        return Stop(self._flight.job)

    def ended(self, job: str) -> Start | None:
        """Hear that a run has ended, or could not be submitted."""
        if job != self.job:
            return None
        self._flight, self._next, self._stopping = self._next, None, False
        return self._flight
