"""The story of one job as server-sent events (WHATWG HTML, section 9.2): status, progress, preview, output."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from server.comfy.events import Story
from server.comfy.v2.items import items_of
from server.comfy.v2.views import STATUSES, Links, progress_data
from server.jobs.records import ENDED, Job, JobEvent, JobState, Live, Preview, Progress
from server.jobs.service import Jobs

PACE = 0.5
"""Seconds between two tellings of progress, and between two previews."""

HEARTBEAT = 15.0
MOST_STREAMS = 100
MOST_FACTS = 100_000

STATES: dict[str, JobState] = {
    "queued": "queued", "began": "running", "requeued": "queued", **{state: state for state in ENDED},
}  # fmt: skip
"""The facts after which a job is in another state."""

Event = tuple[str, dict[str, Any]]


class Teller:
    """Turns what happens to one job into events. Of progress and previews it keeps the newest until they are due."""

    def __init__(self, job: str, links: Links) -> None:
        self._links = links
        self._story = Story(job)
        self._newest: Progress | None = None
        self._preview: Preview | None = None
        self._moved = False
        self._told: set[str] = set()
        self.state: JobState = "queued"

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.state in ENDED

    def hear(self, item: Live) -> Iterator[Event]:
        """Yield what must be told at once: outputs, before the end of the job, and each change of its state."""
        match item:
            case JobEvent():
                yield from self._hear(item)
            case Progress() if self._story.shown(item.node) == self._story.node:
                self._newest, self._moved = item, True
            case Preview():
                self._preview = item

    def _hear(self, event: JobEvent) -> Iterator[Event]:
        self._story.tell(event)
        if event.kind == "saved" and event.node:
            for item in items_of(self._story.job, event.node, event.data):
                if item.id not in self._told:
                    self._told.add(item.id)
                    yield "output", self._links.output(self._story.job, item)
        if event.kind in ("node_started", "node_finished", "planned"):
            self._newest, self._moved = None, True
        if event.kind == "succeeded":
            yield "progress", self.progress()
        if (state := STATES.get(event.kind)) and state != self.state:
            self.state = state
            yield "status", {"status": STATUSES[state]}

    def due(self) -> Iterator[Event]:
        """Yield what was kept."""
        if self._moved and self.state == "running":
            self._moved = False
            yield "progress", self.progress()
        if preview := self._preview:
            self._preview = None
            type = "image/png" if preview.image.startswith(b"\x89PNG") else "image/jpeg"
            data = b64encode(preview.image).decode()
            yield "preview", {"node_id": self._story.shown(preview.node), "content_type": type, "data_base64": data}

    def progress(self) -> dict[str, Any]:
        """Return how far the job is."""
        return progress_data(self._story, self._newest)


async def catch_up(jobs: Jobs, job: Job, links: Links) -> tuple[Teller, list[Event]]:
    """Return who tells of a job from now on, and what it tells of the past."""
    teller, seq = Teller(job.id, links), jobs.feed.seq
    past = [event for event in (await jobs.events(job=job.id, limit=MOST_FACTS)).events if event.seq <= seq]

    def told() -> list[Event]:
        said = [said for event in past for said in teller.hear(event)]
        for progress in jobs.progress(job.id):
            list(teller.hear(progress))
        return said

    return teller, await asyncio.to_thread(told)


async def stream(jobs: Jobs, job: Job, links: Links) -> AsyncIterator[bytes]:
    """Yield the events of a job until it ends: first where it stands, with what it showed so far."""
    with jobs.subscribe(wants=lambda id: id == job.id, previews=True) as feed:
        teller, past = await catch_up(jobs, job, links)
        outputs = [said for said in past if said[0] == "output"]
        here = ("status", {"status": STATUSES[teller.state]} | _position(jobs, job.id))
        yield frames([*outputs, here] if teller.over else [here, *outputs, *teller.due()])
        hearing = asyncio.ensure_future(feed.next())
        try:
            paced, sent = 0.0, time.monotonic()
            while not teller.over:
                await asyncio.wait([hearing], timeout=PACE)
                said, now = [], time.monotonic()
                if hearing.done():
                    said = [each for item in hearing.result() for each in teller.hear(item)]
                    hearing = asyncio.ensure_future(feed.next())
                if now - paced >= PACE and not teller.over:
                    said, paced = [*said, *teller.due()], now
                if said or now - sent >= HEARTBEAT:
                    sent = now
                    yield frames(said) or b": here\n\n"
        finally:
            hearing.cancel()


def _position(jobs: Jobs, id: str) -> dict[str, int]:
    position = place_in_queue(jobs, id)
    return {} if position is None else {"queue_position": position}


def place_in_queue(jobs: Jobs, id: str) -> int | None:
    """Return the place of a job that waits, from 1."""
    waiting = [job.id for job in jobs.queue() if job.state == "queued"]
    return waiting.index(id) + 1 if id in waiting else None


def frames(events: Sequence[Event]) -> bytes:
    """Return events as they are sent."""
    return b"".join(
        f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode() for kind, data in events
    )
