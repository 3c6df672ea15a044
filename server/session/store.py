"""Editor sessions on disk, beside the jobs: the graph of each, so that it is there after a restart of the server."""

import asyncio
import json
import time

from server.jobs.store import JobStore
from server.jobs.writer import Change
from server.session.history import Version

MOST = 1_000
KEPT_SECONDS = 7 * 24 * 3600.0
"""How long a session is kept that nobody changes."""

LARGEST = 16 * 2**20
"""Bytes of a session on disk. One that grows beyond is on disk as it was before."""

MOST_BYTES = 256 * 2**20
"""Bytes of all sessions on disk, and for a while an eighth more: adding them up takes a millisecond."""

KEEP = (
    "INSERT INTO sessions VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET changed = excluded.changed, "
    "revision = excluded.revision, body = excluded.body, nbytes = excluded.nbytes"
)
FORGET_OLD = (
    "DELETE FROM sessions WHERE changed < ? OR id IN (SELECT id FROM sessions ORDER BY changed DESC LIMIT -1 OFFSET ?)"
)
FORGET_SURPLUS = (
    "DELETE FROM sessions WHERE id IN (SELECT id FROM (SELECT id, sum(nbytes) OVER (ORDER BY changed DESC) AS total "
    "FROM sessions) WHERE total > ?)"
)


class SessionStore:
    """The table of sessions in the database of jobs. Undo, errors and runs are not in it."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._written = MOST_BYTES

    def keep(self, id: str, revision: int, version: Version) -> None:
        """Write how a session stands, soon. Sessions that are too old or too many, or take too much, are forgotten."""
        body = json.dumps({"prompt": version.prompt, "saved": version.saved}, default=str)
        if len(body) > LARGEST:
            return
        now = time.time()
        statements = [
            (KEEP, (id, now, revision, body, len(body))),
            (FORGET_OLD, (now - KEPT_SECONDS, MOST)),
        ]
        self._written += len(body)
        if self._written > MOST_BYTES / 8:
            statements.append((FORGET_SURPLUS, (MOST_BYTES,)))
            self._written = 0
        self._jobs.add(Change(statements=statements))

    async def find(self, id: str) -> tuple[int, Version] | None:
        """Return the revision and the graph of a session as it was last kept.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        await self._jobs.flush()
        return await asyncio.to_thread(self._read, id)

    def _read(self, id: str) -> tuple[int, Version] | None:
        rows = self._jobs.rows("SELECT revision, body FROM sessions WHERE id = ?", id)
        return (rows[0][0], Version(**json.loads(rows[0][1]))) if rows else None

    def forget(self, id: str) -> None:
        """Remove a session."""
        self._jobs.add(Change(statements=[("DELETE FROM sessions WHERE id = ?", (id,))]))
