"""What a connection hears: facts of the jobs that it subscribed to, and of those that its sessions run."""

import asyncio
from collections.abc import Collection

from server.jobs.records import ENDED, JobEvent, PackEvent, Preview, Progress, Pruned
from server.jobs.service import Jobs
from server.protocol import messages
from server.protocol.messages import SessionChanged
from server.protocol.parts import nodes_data
from server.socket import facts
from server.socket.desk import Desk
from server.socket.sender import Sender

CHANGES = frozenset({"node_finished", "remembered", *ENDED})
"""The facts after which nodes may be in another state."""

AGAIN_SECONDS = (0.0, 0.06, 0.25)
"""After a run has ended its last results are on disk this much later at most, so the memo is looked at again."""

FEW_JOBS = 100
"""Of so many jobs the first fact is looked up; for more, all facts are read through."""

REST_SECONDS = 0.05


class Listening:
    """Everything that one connection hears. ``sessions`` are the sessions that it watches, by id."""

    def __init__(self, jobs: Jobs, sender: Sender) -> None:
        self.sessions: dict[str, Desk] = {}
        self._jobs = jobs
        self._sender = sender
        self._wanted: frozenset[str] | None = frozenset()
        self._since = 0
        self._previews = False
        self._subscription: asyncio.Task[None] | None = None
        self._changed: dict[str, int] = {}
        self._look = asyncio.Event()

    def _desks(self) -> dict[str, Desk]:
        return {job: desk for desk in self.sessions.values() for job in desk.runs}

    def _wants(self, job: str | None) -> bool:
        return self._wanted is None or job in self._wanted

    # Subscriptions.

    async def subscribe(
        self, jobs: Collection[str] | None, since: int | None, previews: bool, group: asyncio.TaskGroup
    ) -> int:
        """Hear of jobs (None: of all) from a number on; return that number."""
        start = self._jobs.seq if since is None else since
        if jobs is not None and start < self._jobs.seq and len(jobs) <= FEW_JOBS:
            start = await self._first(jobs, start)
        self.unsubscribe()
        self._wanted = None if jobs is None else frozenset(jobs)
        self._since = start
        self._previews = previews
        self._subscription = group.create_task(self._hear())
        return self._since

    async def _first(self, jobs: Collection[str], since: int) -> int:
        """Return a number, as high as can be, after which all facts of some jobs come that come after ``since``."""
        newest = self._jobs.seq
        found = [await self._jobs.events(since, job=job, limit=1) for job in jobs]
        return min([newest, *(event.seq - 1 for each in found for event in each.events)])

    def unsubscribe(self) -> None:
        """Hear no more of jobs but those of the sessions."""
        self._wanted = frozenset()
        if self._subscription:
            self._subscription.cancel()

    async def _hear(self) -> None:
        with self._jobs.subscribe(since=self._since, wants=self._wants, previews=self._previews) as feed:
            while True:
                for item in await feed.next():
                    if isinstance(item, Pruned):
                        known = tuple(map(facts.job_message, self._jobs.queue()))
                        self._sender.put(messages.Pruned(seq=item.seq, jobs=known))
                    elif not isinstance(item, PackEvent):
                        self._send(item)
                await self._sender.has_room()

    def _is_subscribed(self, item: JobEvent | Progress | Preview) -> bool:
        """Whether the subscription sends this of a job, so that the session need not."""
        if not self._wants(item.job):
            return False
        match item:
            case JobEvent(seq=seq):
                return seq > self._since
            case Preview():
                return self._previews
        return True

    def _send(self, item: JobEvent | Progress | Preview) -> None:
        place = facts.place_of(item.job, self._desks())
        if isinstance(item, JobEvent):
            if item.kind in ("node_finished", *ENDED):
                self._drop(item)
            self._sender.put(facts.fact(item, place))
        elif place.current is False:
            return
        elif isinstance(item, Progress):
            self._sender.put_latest(("progress", item.job, item.node), facts.progress(item, place))
        else:
            self._sender.put_latest(("preview", item.job, item.node), facts.preview(item, place))

    def _drop(self, over: JobEvent) -> None:
        """Take back what waits to be sent of a node that is done, or of all nodes of a job that is."""
        self._sender.drop(lambda name: name[1] == over.job and over.node in (None, name[2]))

    def drop_stale(self, desk: Desk) -> None:
        """Take back what waits to be sent of runs that an edit made stale: it would come behind the edit's reply."""
        self._sender.drop(lambda name: name[1] in desk.runs and not desk.is_current(name[1]))

    # Sessions.

    async def hear_sessions(self) -> None:
        """Hear of the jobs that sessions run, from now on."""
        with self._jobs.subscribe(wants=lambda job: job in self._desks(), previews=True) as feed:
            while True:
                for item in await feed.next():
                    if isinstance(item, Pruned | PackEvent):
                        continue
                    if not self._is_subscribed(item):
                        self._send(item)
                    if isinstance(item, JobEvent) and item.kind in CHANGES:
                        await self._after(item)
                await self._sender.has_room()

    async def _after(self, event: JobEvent) -> None:
        """Have the session looked at that a job belongs to."""
        desk = self._desks().get(event.job or "")
        if desk is None:
            return
        self.look(desk.session.id, len(AGAIN_SECONDS) - 1 if event.kind in ENDED else 0)
        await desk.hear(event)

    def look(self, session: str, again: int = len(AGAIN_SECONDS) - 1) -> None:
        """Have a session looked at, and ``again`` times more."""
        self._changed[session] = max(again, self._changed.get(session, 0))
        self._look.set()

    async def look_at_sessions(self) -> None:
        """Send the states of nodes that became other, as runs go on."""
        while True:
            await self._look.wait()
            self._look.clear()
            due, self._changed = self._changed, {}
            for id, again in due.items():
                if id in self.sessions:
                    await self.tell_changes(self.sessions[id])
                if again and id not in self._changed:
                    delay = AGAIN_SECONDS[len(AGAIN_SECONDS) - again]
                    asyncio.get_running_loop().call_later(delay, self.look, id, again - 1)
            await asyncio.sleep(REST_SECONDS)

    async def tell_changes(self, desk: Desk) -> None:
        """Look at a session and send what is other than before."""
        change = await desk.look()
        if change.states or change.removed:
            self._sender.put(
                SessionChanged(
                    session=desk.session.id,
                    revision=change.revision,
                    nodes=nodes_data(change.states, desk.session.errors),
                    removed=change.removed,
                )
            )
