"""Editor sessions on disk, beside the jobs: the graph of each, so that it is there after a restart of the server."""

import json
import time

from server.jobs.store import JobStore
from server.jobs.writer import Change
from server.session.history import Version

MOST = 1_000
KEPT_SECONDS = 7 * 24 * 3600.0
"""How long a session is kept that nobody changes."""

KEEP = (
    "INSERT INTO sessions VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET changed = excluded.changed, revision = excluded.revision, body = excluded.body"
)
FORGET_OLD = (
    "DELETE FROM sessions WHERE changed < ? OR id IN (SELECT id FROM sessions ORDER BY changed DESC LIMIT -1 OFFSET ?)"
)


class SessionStore:
    """The table of sessions in the database of jobs. Undo, errors and runs are not in it."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs

    def keep(self, id: str, revision: int, version: Version) -> None:
        """Write how a session stands, soon. Sessions that are too old or too many are forgotten."""
        body = json.dumps({"prompt": version.prompt, "saved": version.saved}, default=str)
        now = time.time()
        old = (FORGET_OLD, (now - KEPT_SECONDS, MOST))
        self._jobs.add(Change(statements=[(KEEP, (id, now, revision, body)), old]))

    async def find(self, id: str) -> tuple[int, Version] | None:
        """Return the revision and the graph of a session as it was last kept.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        await self._jobs.flush()
        rows = self._jobs.rows("SELECT revision, body FROM sessions WHERE id = ?", id)
        return (rows[0][0], Version(**json.loads(rows[0][1]))) if rows else None

    def forget(self, id: str) -> None:
        """Remove a session."""
        self._jobs.add(Change(statements=[("DELETE FROM sessions WHERE id = ?", (id,))]))
