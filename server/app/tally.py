"""What happened to jobs and nodes since the server was started, in numbers and in the log."""

import logging
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from server.jobs.records import ENDED, JobEvent
from server.jobs.service import Jobs

BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds, in seconds, of the classes in which runs of nodes are counted."""

TOLD = frozenset({"began", "requeued", *ENDED})
log = logging.getLogger("loomis.jobs")


@dataclass(slots=True)
class Runs:
    """How often nodes of one type ran, how many seconds in all, and how many runs are in each class of ``BOUNDS``."""

    seconds: float = 0.0
    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, seconds: float) -> None:
        """Count a run."""
        self.seconds += seconds
        self.classes[bisect_left(BOUNDS, seconds)] += 1


@dataclass(slots=True)
class Tally:
    """Counts of facts. ``jobs`` is by how a job ended, ``runs`` and ``remembered`` by node type."""

    jobs: Counter[str] = field(default_factory=Counter)
    requeued: int = 0
    runs: dict[str, Runs] = field(default_factory=dict)
    remembered: Counter[str] = field(default_factory=Counter)
    _types: dict[str, dict[str, str]] = field(default_factory=dict)

    def hear(self, fact: JobEvent) -> None:
        """Count a fact."""
        job, node = fact.job or "", fact.node or ""
        match fact.kind:
            case "node_started":
                self._types.setdefault(job, {})[node] = fact.data["class_type"]
            case "node_finished":
                type = self._types.get(job, {}).pop(node, "unknown")
                self.runs.setdefault(type, Runs()).add(fact.data["seconds"])
            case "remembered":
                self.remembered[fact.data["class_type"]] += 1
            case "requeued":
                self.requeued += 1
                self._types.pop(job, None)
            case "succeeded" | "failed" | "cancelled":
                self.jobs[fact.kind] += 1
                self._types.pop(job, None)


async def observe(jobs: Jobs, tally: Tally) -> None:
    """Count and log facts as they happen, for as long as the server runs."""
    with jobs.subscribe() as feed:
        while True:
            for told in await feed.next():
                if isinstance(told, JobEvent):
                    tally.hear(told)
                    tell(told)


def tell(fact: JobEvent) -> None:
    """Log a fact: jobs as they begin and end, nodes only when details are asked for."""
    level = logging.INFO if fact.kind in TOLD else logging.DEBUG
    if not log.isEnabledFor(level):
        return
    data = fact.data
    about = {"job": fact.job, "node": fact.node}
    more = {name: data[name] for name in ("worker", "attempt", "seconds", "reason") if name in data}
    error = data.get("error")
    text = f"{fact.kind}: {error['message']}" if error else fact.kind.replace("_", " ")
    level = logging.WARNING if fact.kind == "failed" else level
    log.log(level, "%s", text, extra={name: value for name, value in (about | more).items() if value is not None})
