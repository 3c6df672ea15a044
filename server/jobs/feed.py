"""Who listens to jobs as they go on: each reader at its own speed, none of them slowing another."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from server.jobs.records import ENDED, Events, Fleeting, JobEvent, Live, PackEvent, Preview, Progress

Filter: TypeAlias = Callable[[str | None], bool]
"""Says of a job's id (None: the queue) whether a reader wants to hear of it."""

MOST_WAITING = 2_000
"""Facts that wait in memory for one reader. Beyond that they are read again from disk."""

Reread: TypeAlias = Callable[[int], Awaitable[Events]]


class Subscription:
    """One reader of facts, progress and previews.

    Facts come in order, each once, from ``since`` on; those that are not in memory are read from disk. Of progress and
    previews a slow reader gets the newest of each node. What node packs send comes after the facts before it.
    """

    def __init__(self, feed: "Feed", since: int, wants: Filter, previews: bool, packs: bool) -> None:
        self.wants = wants
        self.previews = previews
        self._packs = packs
        self._feed = feed
        self._seen = since
        self._behind = since < feed.seq
        self._facts: list[JobEvent] = []
        self._progress: dict[tuple[str, str], Progress] = {}
        self._previews: dict[tuple[str, str], Preview] = {}
        self._sent: deque[PackEvent] = deque(maxlen=MOST_WAITING)
        self._woken = asyncio.Event()
        if self._behind:
            self._woken.set()

    async def next(self) -> list[Live]:
        """Wait until there is something, and return all of it."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            batch = self._with_sent(await self._reread() if self._behind else self._take_facts())
            if not self._behind:
                batch += [*self._progress.values(), *self._previews.values()]
                self._progress, self._previews = {}, {}
            if batch:
                return batch

    def close(self) -> None:
        """Hear no more."""
        self._feed.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hear_facts(self, events: Sequence[JobEvent]) -> None:
        """Take facts that were written now."""
        if self._behind:
            return
        for event in events:
            if event.kind in ("node_finished", "requeued", *ENDED):
                self._drop(event)
        self._facts += [event for event in events if self.wants(event.job)]
        if len(self._facts) > MOST_WAITING:
            self._behind, self._facts = True, []
        elif not self._facts:
            self._seen = events[-1].seq
            return
        self._woken.set()

    def hear(self, said: Fleeting) -> None:
        """Take progress or a preview in place of an older one of the same node, or what a node pack sends."""
        if isinstance(said, PackEvent):
            if not self._packs:
                return
            self._sent.append(said)
        elif not self.wants(said.job):
            return
        elif isinstance(said, Progress):
            self._progress[said.job, said.node] = said
        elif self.previews:
            self._previews[said.job, said.node] = said
        else:
            return
        self._woken.set()

    def _drop(self, over: JobEvent) -> None:
        """Let go of what was said of a node or a job that is over now."""
        for said in (self._progress, self._previews):
            for job, node in [key for key in said if key[0] == over.job and over.node in (key[1], None)]:
                del said[job, node]

    def _take_facts(self) -> list[Live]:
        taken, self._facts = self._facts, []
        if taken:
            self._seen = taken[-1].seq
        return [*taken]

    def _with_sent(self, batch: Sequence[Live]) -> list[Live]:
        """Return facts with what node packs sent between them, and after the last that came."""
        mixed: list[Live] = []
        for item in batch:
            while self._sent and isinstance(item, JobEvent) and self._sent[0].after < item.seq:
                mixed.append(self._sent.popleft())
            mixed.append(item)
        while self._sent and (not self._behind or self._sent[0].after <= self._seen):
            mixed.append(self._sent.popleft())
        return mixed

    async def _reread(self) -> list[Live]:
        """Read the next facts from disk, until what is in memory follows them."""
        found = await self._feed.reread(self._seen)
        batch: list[Live] = [] if found.pruned is None else [found.pruned]
        batch += [event for event in found.events if self.wants(event.job)]
        if found.events:
            self._seen = found.events[-1].seq
        if self._seen >= self._feed.seq or not found.events:
            self._behind = False
        else:
            self._woken.set()
        return batch


class Feed:
    """All readers. ``seq`` is the number of the newest fact; ``reread`` reads facts after a number from disk."""

    def __init__(self, seq: int, reread: Reread, looked_at: Callable[[bool], None]) -> None:
        self.seq = seq
        self.reread = reread
        self._looked_at = looked_at
        self._readers: list[Subscription] = []

    def join(self, since: int | None, wants: Filter, previews: bool, packs: bool = False) -> Subscription:
        """Add a reader of what comes after ``since``; None: after now."""
        reader = Subscription(self, self.seq if since is None else since, wants, previews, packs)
        self._readers.append(reader)
        self._look()
        return reader

    def leave(self, reader: Subscription) -> None:
        """Remove a reader."""
        if reader in self._readers:
            self._readers.remove(reader)
            self._look()

    def publish(self, events: Sequence[JobEvent], said: Sequence[Fleeting]) -> None:
        """Tell facts that are on disk, and what is not kept and was said meanwhile: facts may make that old news."""
        if events:
            self.seq = events[-1].seq
        for reader in self._readers:
            for each in said:
                reader.hear(each)
            if events:
                reader.hear_facts(events)

    def _look(self) -> None:
        self._looked_at(any(reader.previews for reader in self._readers))
