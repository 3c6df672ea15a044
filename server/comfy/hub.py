"""Tells the clients of ComfyUI's socket what happens: to all how long the queue is, to each the story of its jobs.

One reader of the feed serves all of them. It is there while somebody is.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from server.comfy.client import Client, PictureFile, text
from server.comfy.events import Said, Story
from server.comfy.items import PREVIEWS, labelled
from server.comfy.prompt import exec_info
from server.jobs.feed import Subscription
from server.jobs.records import ENDED, OF_BATCHES, JobEvent, Live, PackEvent, Preview, Progress
from server.jobs.service import Jobs

COUNTED = frozenset({"queued", "began", "requeued", *ENDED})
"""The facts after which the queue is another."""

FEW = 100
"""Nodes up to which each change of a node is told with the state of all that began; above, now and then."""

MOST_FACTS = 100_000


class Hub:
    """All clients by ``sid``, and the stories of the jobs that run."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._clients: dict[str, Client] = {}
        self._stories: dict[str, Story] = {}
        self._owners: dict[str, str | None] = {}
        self._methods: dict[str, str | None] = {}
        self._stale: set[str] = set()
        self._untold_ends = 0
        self._starting = asyncio.Lock()
        self._hearing: asyncio.Task[None] | None = None

    async def join(self, client: Client) -> None:
        """Tell a client from now on, in place of an older one of its ``sid``, and what its job does now."""
        self._clients[client.sid] = client
        async with self._starting:
            if self._hearing is None:
                await self._start()
        client.put(text("status", {"status": exec_info(self._jobs), "sid": client.sid}))
        for id, story in self._stories.items():
            if self._owners[id] == client.sid and story.node is not None:
                client.put(text("executing", {"node": story.node}))

    async def leave(self, client: Client) -> None:
        """Forget a client, unless a newer one has its place."""
        if self._clients.get(client.sid) is client:
            del self._clients[client.sid]
        async with self._starting:
            if not self._clients and self._hearing is not None:
                self._hearing.cancel()
                await asyncio.wait([self._hearing])
                self._hearing = None
                self._stories, self._owners, self._methods = {}, {}, {}

    async def _start(self) -> None:
        """Listen, and learn how far the jobs are that run."""
        feed = self._jobs.subscribe(previews=True, packs=True)
        seq = self._jobs.feed.seq
        for job in [job for job in self._jobs.open_jobs() if job.state == "running"]:
            for event in (await self._jobs.events(job=job.id, limit=MOST_FACTS)).events:
                if event.seq <= seq:
                    self._story(job.id).tell(event)
        self._hearing = asyncio.create_task(self._hear(feed))

    async def _hear(self, feed: Subscription) -> None:
        with feed:
            while True:
                self._tell_all(await feed.next())

    def _relay(self, sent: PackEvent) -> None:
        """Send what a node pack sends to its client, or to all."""
        frame = text(sent.event, json.loads(sent.body))
        for client in list(self._clients.values()):
            if sent.client in ("", client.sid):
                client.put(frame)

    def _tell_all(self, batch: Sequence[Live]) -> None:
        self._untold_ends = sum(isinstance(item, JobEvent) and item.kind in ENDED for item in batch)
        for item in batch:
            match item:
                case JobEvent(job=str(job), kind=kind) if kind not in OF_BATCHES:
                    self._tell(job, item)
                case PackEvent():
                    self._relay(item)
                case Progress() if item.job in self._stories:
                    self._progress(item)
                case Preview() if item.job in self._stories:
                    self._preview(item)
        for job in self._stale:
            if client := self._client(job):
                client.put_latest(("state", job, ""), _frame(self._stories[job].state()))
        self._stale.clear()

    def _tell(self, job: str, event: JobEvent) -> None:
        story, client = self._story(job), self._client(job)
        messages = story.tell(event)
        if event.kind in COUNTED and event.kind not in ENDED:
            self._count()
        if client:
            self._send(client, story, event, messages)
        elif event.kind == "cancelled" and self._owners[job] is None:
            self._broadcast([_frame(said) for said in messages])
        if event.kind in ENDED:
            self._untold_ends -= 1
            self._count()
            if client:
                client.put(text("executing", {"prompt_id": job, "node": None}))
            self._stale.discard(job)
            del self._stories[job], self._owners[job], self._methods[job]

    def _send(self, client: Client, story: Story, event: JobEvent, messages: Sequence[Said]) -> None:
        """Send what a fact became. What was said of the node before is old news."""
        job, over = story.job, event.kind in ENDED
        if over or event.kind == "node_finished":
            client.drop(lambda name: name[1] == job and (over or name[2] == event.node))
        if over and story.size > FEW:
            client.put(_frame(story.state()))
        if story.awaits_pictures:
            _hold_back(client)
        if event.kind == "saved" and event.node and story.sends(event.node):
            _show(client, story, event.node, [Path(file["path"]) for file in event.data["files"]])
        for said in messages:
            if said.kind == "progress_state":
                if story.size > FEW:
                    self._stale.add(job)
                    continue
                client.drop(lambda name: name[:2] == ("state", job))
            client.put(_frame(said))

    def _progress(self, progress: Progress) -> None:
        step = self._story(progress.job).progress(progress)
        if client := self._client(progress.job):
            client.put_latest(("progress", progress.job, progress.node), _frame(step))
            self._stale.add(progress.job)

    def _preview(self, preview: Preview) -> None:
        client, method = self._client(preview.job), self._methods[preview.job]
        if client and not client.reads_metadata and self._awaits_pictures(client):
            return
        if client and method != "none" and (client.reads_pictures or method not in (None, "default")):
            frame = client.picture(preview.image, self._story(preview.job).picture(preview.node))
            client.put_latest(("preview", preview.job, preview.node), frame)

    def _awaits_pictures(self, client: Client) -> bool:
        return any(story.awaits_pictures for id, story in self._stories.items() if self._owners[id] == client.sid)

    def _count(self) -> None:
        self._broadcast([text("status", {"status": exec_info(self._jobs, self._untold_ends)})])

    def _broadcast(self, frames: Sequence[str]) -> None:
        for client in self._clients.values():
            for frame in frames:
                client.put(frame)

    def _story(self, job: str) -> Story:
        if job not in self._stories:
            known = self._jobs.find(job)
            self._owners[job] = known.client if known else None
            self._methods[job] = labelled(known, PREVIEWS) if known else None
            self._stories[job] = Story(job, known.targets if known else ())
        return self._stories[job]

    def _client(self, job: str) -> Client | None:
        """Return the client that hears of a job."""
        self._story(job)
        return self._clients.get(self._owners[job] or "")


def _show(client: Client, story: Story, node: str, pictures: Sequence[Path]) -> None:
    """Send the pictures of a node while the client takes it for the one that runs, as it tells them apart by that."""
    for said in story.turn_to(node):
        client.put(_frame(said))
    _hold_back(client)
    for path in pictures:
        client.put(PictureFile(path, story.picture(node)))
    for said in story.turn_to(story.node) if story.node else ():
        client.put(_frame(said))


def _hold_back(client: Client) -> None:
    """Take back previews that a client would take for pictures of the node that was told last."""
    if not client.reads_metadata:
        client.drop(lambda name: name[0] == "preview")


def _frame(said: Said) -> str:
    return text(said.kind, said.data)
