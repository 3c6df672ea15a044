"""All sessions of the server. One whose connection was lost is kept for a while, so that its editor can come back."""

import asyncio
import secrets
import time
from collections.abc import Callable

from engine import Engine
from engine.formats import Loaded
from server.jobs.service import Jobs
from server.session.errors import NoSession, TooManySessions
from server.session.session import Session
from server.socket.desk import Desk

KEPT_SECONDS = 600.0
MOST = 256


class Desks:
    """Sessions by id. An id is a secret: who knows it may have the session."""

    def __init__(self, engine: Engine, jobs: Jobs) -> None:
        self._engine = engine
        self._jobs = jobs
        self._desks: dict[str, Desk] = {}

    async def open(self, read: Callable[[], Loaded | None]) -> Desk:
        """Return a new session on the workflow that ``read`` gives.

        Raises:
            TooManySessions: there are too many.
            LoomisError: what ``read`` raises, or the workflow is too large.
        """
        session = await asyncio.to_thread(lambda: Session(secrets.token_urlsafe(12), self._engine, read()))
        self._forget()
        if len(self._desks) >= MOST:
            raise TooManySessions(
                "There are too many sessions.", got=len(self._desks), expected=f"at most {MOST}", hint="Close some."
            )
        desk = self._desks[session.id] = Desk(session, self._jobs)
        return desk

    def find(self, id: str) -> Desk:
        """Return a session.

        Raises:
            NoSession: there is none of this id.
        """
        if id not in self._desks:
            raise NoSession(f"There is no session {id!r}.", got=id, hint="Open one; the server may have started anew.")
        return self._desks[id]

    def close(self, id: str) -> None:
        """Forget a session."""
        self._desks.pop(id, None)

    def _forget(self) -> None:
        """Forget sessions that nobody came back to; when there are too many, the one left longest ago too."""
        left = sorted((desk.left_at, id) for id, desk in self._desks.items() if desk.tell is None)
        too_many = len(self._desks) - MOST + 1
        for place, (left_at, id) in enumerate(left):
            if left_at < time.monotonic() - KEPT_SECONDS or place < too_many:
                del self._desks[id]
