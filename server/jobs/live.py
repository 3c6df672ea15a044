"""The jobs that have not ended, in memory, and the steps that they can take. Disk follows within milliseconds."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from server.jobs.queue import Queue
from server.jobs.records import Fleeting, Job, Progress
from server.jobs.store import JobStore
from server.jobs.writer import Change, Fact

Over = Literal["succeeded", "failed", "cancelled"]


class LiveJobs:
    """Queued, held and running jobs. A held job is queued and was handed to a worker that has not begun it.

    ``ending`` has, as they were before, the jobs whose end is not on disk yet.
    """

    def __init__(self, store: JobStore) -> None:
        self.jobs: dict[str, Job] = {}
        self.ending: dict[str, Job] = {}
        self.queue = Queue()
        self.progress: dict[str, dict[str, Progress]] = {}
        self._finished: dict[str, set[str]] = {}
        self._died_at: dict[str, frozenset[str]] = {}
        self._store = store
        for job in store.live():
            self.jobs[job.id] = job
            if job.state == "running":
                self.requeue(job.id, "The server ended while the job ran.")
            else:
                self.queue.put(job)

    def put(self, job: Job) -> None:
        """Queue a job that is on disk."""
        self.jobs[job.id] = job
        self.queue.put(job)

    def hold(self, id: str) -> None:
        """Take a job out of the queue for a worker."""
        self.queue.take(id)

    def release(self, ids: Iterable[str]) -> None:
        """Put held jobs back where they were."""
        for id in ids:
            if (job := self.jobs.get(id)) and job.state == "queued":
                self.queue.put(job)

    def move(self, jobs: Iterable[Job]) -> None:
        """Take jobs to where their priority and number say."""
        for job in jobs:
            self.jobs[job.id] = job
            if job.id in self.queue:
                self.queue.take(job.id)
                self.queue.put(job)
            self._step(job, Fact(job.id, time.time(), "moved", place_text(job)))

    def begin(self, id: str, worker: str, at: float) -> None:
        """A worker runs a job now."""
        job = self.jobs[id]
        attempts = job.attempts + 1
        body = json.dumps({"attempt": attempts, "worker": worker})
        running = replace(job, state="running", began=at, attempts=attempts, worker=worker, outputs={})
        self._step(running, Fact(id, at, "began", body))

    def tell(self, id: str, facts: Sequence[Fact]) -> None:
        """A running job has facts to tell."""
        job = self.jobs[id]
        self._finished.setdefault(id, set()).update(
            fact.node for fact in facts if fact.kind == "node_finished" and fact.node
        )
        saved = {fact.node: json.loads(fact.body) for fact in facts if fact.kind == "saved"}
        if saved:
            shown = {str(node): {"files": data["files"], "notes": data["notes"]} for node, data in saved.items()}
            self.jobs[id] = replace(job, outputs={**job.outputs, **shown})
        self._store.add(Change(facts=facts))

    def say(self, said: Fleeting) -> None:
        """A running job is under way, or a node pack has something to say."""
        if isinstance(said, Progress):
            self.progress.setdefault(said.job, {})[said.node] = said
        self._store.add(Change(said=(said,)))

    def end(self, id: str, over: Over, error: Mapping[str, Any] | None = None, at: float | None = None) -> None:
        """A job is over."""
        job = self.ending[id] = self._leave(id)
        at = at or time.time()
        body = {"error": error} if error else {"seconds": at - (job.began or at)} if over == "succeeded" else {}
        self._store.add(
            Change(replace(job, state=over, ended=at, error=error), facts=[Fact(id, at, over, json.dumps(body))])
        )
        self._store.count_ending()

    def is_stuck(self, id: str) -> bool:
        """Whether a job whose worker died of it got no further than when one died of it before."""
        finished = self._finished.get(id, set())
        before, self._died_at[id] = self._died_at.get(id), frozenset(finished)
        return before is not None and finished <= before

    def requeue(self, id: str, reason: str, died: bool = False) -> None:
        """A job that ran goes back to its place; ``died``: its worker died of it."""
        job = self.jobs[id]
        self.progress.pop(id, None)
        queued = replace(job, state="queued", worker=None, began=None, outputs={}, deaths=job.deaths + died)
        self._step(queued, Fact(id, time.time(), "requeued", json.dumps({"reason": reason})))
        self.queue.put(queued)

    def _step(self, job: Job, fact: Fact) -> None:
        self.jobs[job.id] = job
        self._store.add(Change(job, facts=[fact]))

    def _leave(self, id: str) -> Job:
        self.queue.take(id)
        for kept in (self.progress, self._finished, self._died_at):
            kept.pop(id, None)
        return self.jobs.pop(id)


def place_text(job: Job) -> str:
    """Return where a job is queued, as JSON."""
    return json.dumps({"priority": job.priority, "number": job.number})
