"""Which job goes to which worker, and what becomes of it there."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby

from server.jobs.records import Job, PackEvent, Preview, Progress
from server.jobs.service import Jobs
from server.jobs.writer import Fact
from server.workers import contract
from server.workers.affinity import LOOK_AHEAD, choose
from server.workers.asking import Asking
from server.workers.contract import Carrier, Report, Told, WorkerDied
from server.workers.heartbeat import Heartbeat, Limits
from server.workers.state import WorkerState, marks

log = logging.getLogger("loomis.workers")

WITHDRAW_SECONDS = 1.0
"""How long the return of jobs that were handed out is waited for."""

LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that does not come up."""


class Dispatcher:
    """Hands the queue's jobs to workers and keeps the workers alive.

    A cancelled job gets ``grace`` seconds to stop; then its worker is killed and started again. So is one that does
    not answer, after what ``limits`` allow.
    """

    def __init__(
        self, jobs: Jobs, carriers: Sequence[Carrier], grace: float = 10.0, limits: Limits | None = None
    ) -> None:
        self.workers = [WorkerState(f"{carrier.device}-{index}", carrier) for index, carrier in enumerate(carriers)]
        self._jobs = jobs
        self._grace = grace
        self._limits = limits or Limits()
        self._withdrawals = 0
        self._passed: Counter[str] = Counter()
        self._heard = asyncio.Event()
        self._awake = False
        self._parked = False
        self._previews = False
        self._tasks: list[asyncio.Task[None]] = []
        self.asking = Asking(self.workers)
        jobs.executor = self

    def start(self) -> None:
        """Start the workers, in the background."""
        self._tasks = [asyncio.create_task(self._tend(worker), name=worker.name) for worker in self.workers]

    def tends(self, worker: WorkerState) -> bool:
        """Return whether somebody hears a worker and starts it again when it dies."""
        return any(task.get_name() == worker.name and not task.done() for task in self._tasks)

    # --- handing out ---

    def wake(self) -> None:
        """Hand out jobs, as soon as what happens now is over."""
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._awake = False
        if self._jobs.paused or self._withdrawals or self._parked:
            return
        while self._jobs.live.queue and (free := [worker for worker in self.workers if worker.room > 0]):
            self._give(sorted(free, key=lambda worker: worker.load))
        if not self._jobs.live.queue:
            self._passed.clear()
        for worker in self.workers:
            worker.flush()

    def _give(self, free: Sequence[WorkerState]) -> None:
        """Hand one job to one of the workers that have room, the least loaded first."""
        job, worker = self._choose(free)
        self._passed.pop(job.id, None)
        self._jobs.live.hold(job.id)
        worker.hold(job)
        worker.orders.append(contract.Run(job.id, self._jobs.store.body(job.id)))

    def _choose(self, free: Sequence[WorkerState]) -> tuple[Job, WorkerState]:
        """Return the next job and its worker. One worker alone gets them in their order."""
        ready = [worker for worker in self.workers if worker.ready]
        jobs = self._jobs.live.queue.first(1 if len(ready) == 1 else LOOK_AHEAD)
        jobs = [job for job in jobs if job.priority == jobs[0].priority]
        choice = choose(
            [marks(job) for job in jobs],
            {index: frozenset(worker.warm) for index, worker in enumerate(free)},
            [frozenset(worker.warm) for worker in ready if worker not in free],
            [self._passed[job.id] for job in jobs],
        )
        self._passed.update(jobs[place].id for place in choice.passed)
        return jobs[choice.job], free[choice.worker]

    @asynccontextmanager
    async def withdrawn(self) -> AsyncIterator[None]:
        """Have the jobs back that were handed out and not begun, and hand out none meanwhile."""
        self._withdrawals += 1
        try:
            for worker in self.workers:
                if worker.held:
                    worker.carrier.send([contract.GiveBack()])
            with suppress(TimeoutError):  # a worker in C code hears nothing for now, and what it holds stays there
                async with asyncio.timeout(WITHDRAW_SECONDS):
                    while any(worker.held for worker in self.workers):
                        self._heard.clear()
                        await self._heard.wait()
            yield
        finally:
            self._withdrawals -= 1
            self.wake()

    def stop(self, id: str) -> None:
        """End a job that was handed out; its worker too, when the job does not end in time."""
        for worker in self.workers:
            if id in worker.held or id == worker.running:
                worker.carrier.send([contract.Stop(id)])
                if id not in worker.graces:
                    loop = asyncio.get_running_loop()
                    worker.graces[id] = loop.call_later(self._grace, self._kill, worker, id)

    def _kill(self, worker: WorkerState, id: str) -> None:
        if worker.current == id:
            about = {"worker": worker.name, "job": id}
            log.warning("worker killed: its job did not stop within %g s", self._grace, extra=about)
            worker.stopped = id
            worker.carrier.kill()

    def look(self, previews: bool) -> None:
        """Somebody looks at previews from now on, or nobody does."""
        self._previews = previews
        for worker in self.workers:
            if worker.ready:
                worker.carrier.send([contract.Look(previews)])

    def free(self, models: bool, values: bool) -> None:
        """Let the workers let go of memory: those that are idle now, the others when their job is done."""
        for worker in self.workers:
            if worker.ready:
                worker.carrier.send([contract.Free(models, values)])
                worker.warm.clear()

    # --- hearing ---

    async def _tend(self, worker: WorkerState) -> None:
        """Start a worker, hear it, and start it again when it dies."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            worker.heartbeat = Heartbeat(self._limits)
            await worker.carrier.start()
            beating = asyncio.create_task(self._beat(worker))
            try:
                while True:
                    self._hear_all(worker, await worker.carrier.receive())
            except WorkerDied as death:
                pause = 0.0 if worker.ready else min(LONGEST_PAUSE, pause * 2 + 0.5)
                self._died(worker, death)
            finally:
                beating.cancel()

    async def _beat(self, worker: WorkerState) -> None:
        """Ask a worker whether it hears, again and again, and end it when it will not answer any more."""
        while worker.given_up is None:
            if not worker.heartbeat.asked:
                worker.heartbeat.asked = True
                worker.carrier.send([contract.Ping()])
            await asyncio.sleep(self._limits.beat)
            worker.given_up = worker.heartbeat.beat(worker.carrier.activity)
        log.warning("worker killed: %s", worker.given_up, extra={"worker": worker.name})
        worker.carrier.kill()

    def _hear_all(self, worker: WorkerState, reports: Sequence[Report]) -> None:
        worker.heartbeat.hear()
        for (kind, job), group in groupby(reports, lambda report: (type(report), getattr(report, "job", None))):
            if kind is Told and job:
                self._jobs.live.tell(
                    job, [Fact(job, r.time, r.kind, r.body, r.node) for r in group if isinstance(r, Told)]
                )
                continue
            for report in group:
                self._hear(worker, report)
        self._heard.set()

    def _hear(self, worker: WorkerState, report: Report) -> None:
        live = self._jobs.live
        match report:
            case contract.Ready(pid=pid):
                worker.pid, worker.starts = pid, worker.starts + 1
                worker.carrier.send([contract.Look(self._previews)])
                self.asking.there()
                self.wake()
            case contract.Uses():
                worker.uses = report
            case contract.Answered():
                self.asking.answered(report)
            case contract.Sent():
                live.say(PackEvent(report.event, report.body, report.client))
            case contract.Prepared():
                worker.prepared = True
            case contract.Began(job=job, time=at):
                worker.begin(job, at)
                live.begin(job, worker.name, at)
            case contract.Progressed(job=job, node=node, value=value, maximum=maximum, note=note):
                live.say(Progress(job, node, value, maximum, note))
            case contract.Previewed(job=job, node=node, image=image):
                live.say(Preview(job, node, image))
            case contract.Ended():
                worker.end(report.job, report.time)
                self._end(report)
                self.wake()
            case contract.Returned(jobs=jobs):
                for job in jobs:
                    worker.held.remove(job)
                live.release(jobs)

    def _end(self, ended: contract.Ended) -> None:
        if ended.outcome == "parked":
            self._jobs.live.requeue(ended.job, "The server was stopped.")
        else:
            self._jobs.end(ended.job, ended.outcome, json.loads(ended.error) if ended.error else None, ended.time)

    def _died(self, worker: WorkerState, death: WorkerDied) -> None:
        """Put the jobs of a dead worker back, or end the one that kills workers."""
        if worker.given_up:
            death = WorkerDied(worker.given_up, death.tail)
        stopped, worker.death = worker.stopped, death.message
        current, held = worker.bury()
        self.asking.died(worker, death.message)
        self._jobs.live.release(held)
        self._heard.set()
        if current is None:
            log.warning("worker died: %s %s", death.message, death.tail, extra={"worker": worker.name})
        else:
            about = {"worker": worker.name, "job": current}
            log.warning("worker died as a job ran: %s %s", death.message, death.tail, extra=about)
            self._end_of(current, worker, death, current == stopped)
        self.wake()

    def _end_of(self, id: str, worker: WorkerState, death: WorkerDied, stopped: bool) -> None:
        """A worker died at a job, whether it came to say that it had begun or not."""
        live = self._jobs.live
        if live.jobs[id].state == "queued":
            live.begin(id, worker.name, time.time())
        if stopped:
            self._jobs.end(id, "cancelled")
        elif live.is_stuck(id):
            self._jobs.end(id, "failed", death.as_dict())
        else:
            live.requeue(id, death.message, died=True)

    # --- ending ---

    async def park(self, seconds: float) -> None:
        """Let what runs stop between two nodes, and wait for it up to ``seconds``; hand out nothing more."""
        self._parked = True
        for worker in self.workers:
            if worker.ready:
                worker.carrier.send([contract.Park()])
        end = asyncio.get_running_loop().time() + seconds
        while any(worker.load for worker in self.workers) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """End the workers. What still runs goes back to the queue."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self.workers:
            if worker.running:
                worker.carrier.kill()
        await asyncio.gather(*(worker.carrier.close() for worker in self.workers))
        for worker in self.workers:
            current, held = worker.bury()
            self._jobs.live.release(held)
            if current:
                self._jobs.live.requeue(current, "The server was stopped.")
