"""All sessions of the server. One whose connection was lost is kept, so that its editor can come back."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable

from engine import Engine
from engine.formats import Loaded
from server.jobs.service import Jobs
from server.session.errors import NoSession, TooManySessions
from server.session.session import Aim, Session
from server.session.store import SessionStore
from server.socket.desk import LABEL, Desk, mark

KEPT_SECONDS = 600.0
"""How long a session that was left stays in memory. Then it is on disk only."""

MOST = 256


class Desks:
    """Sessions by id. An id is a secret: who knows it may have the session."""

    def __init__(self, engine: Engine, jobs: Jobs) -> None:
        self._engine = engine
        self._jobs = jobs
        self._store = SessionStore(jobs.store)
        self._desks: dict[str, Desk] = {}

    async def open(self, read: Callable[[], Loaded | None]) -> Desk:
        """Return a new session on the workflow that ``read`` gives.

        Raises:
            TooManySessions: there are too many.
            LoomisError: what ``read`` raises, or the workflow is too large.
        """
        session = await asyncio.to_thread(lambda: Session(secrets.token_urlsafe(12), self._engine, read()))
        desk = self._add(session)
        await desk.keep()
        return desk

    def _add(self, session: Session) -> Desk:
        self._forget()
        if len(self._desks) >= MOST:
            raise TooManySessions(
                "There are too many sessions.", got=len(self._desks), expected=f"at most {MOST}", hint="Close some."
            )
        desk = self._desks[session.id] = Desk(session, self._jobs, self._store)
        return desk

    async def find(self, id: str) -> Desk:
        """Return a session; one that is on disk only comes back as it was last written, with its runs under way.

        Raises:
            NoSession: there is none of this id.
            TooManySessions: there are too many.
        """
        if id not in self._desks and (found := await self._store.find(id)):
            revision, version = found
            session = await asyncio.to_thread(Session, id, self._engine, version, revision)
            if id not in self._desks:
                self._adopt_runs(self._add(session))
        if id not in self._desks:
            raise NoSession(f"There is no session {id!r}.", got=id, hint="Open one; this one was closed or is too old.")
        return self._desks[id]

    def _adopt_runs(self, desk: Desk) -> None:
        """Let a session have the jobs that it started before the server began anew."""
        session = desk.session
        for job in self._jobs.queue():
            told = json.loads(self._jobs.sent(job.id)["annotations"]) if LABEL in job.labels else {}
            if told.get("session") == mark(session.id, job.id):
                targets = tuple(told["targets"])
                is_current = told["revision"] == session.revision
                desk.adopt(job.id, session.aim(targets) if is_current else Aim(targets, {}), told["revision"])

    def close(self, id: str) -> None:
        """Forget a session."""
        self._desks.pop(id, None)
        self._store.forget(id)

    def _forget(self) -> None:
        """Let go of sessions that nobody came back to; when there are too many, of the one left longest ago too."""
        left = sorted((desk.left_at, id) for id, desk in self._desks.items() if desk.tell is None)
        too_many = len(self._desks) - MOST + 1
        for place, (left_at, id) in enumerate(left):
            if left_at < time.monotonic() - KEPT_SECONDS or place < too_many:
                del self._desks[id]
