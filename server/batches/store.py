"""Batches on disk, beside the jobs: what was submitted, and how each stands or ended."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from blake3 import blake3

from server.batches.records import BatchRecord, BatchSubmission
from server.jobs.store import FORGET_BATCH, JobStore
from server.jobs.writer import Change, Fact

SELECT = "SELECT told FROM batches"


def encode(submission: BatchSubmission) -> bytes:
    """Return what was submitted, as JSON."""
    return json.dumps({**asdict(submission), "id": None}).encode()


class BatchStore:
    """The table of batches in the database of jobs."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs

    async def add(self, record: BatchRecord, submission: BatchSubmission) -> None:
        """Write a new batch and return when it is on disk.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        body = encode(submission)
        sql = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)"
        values = (record.id, record.state, record.created, None, blake3(body).digest(), body, _told(record))
        await self._jobs.write(Change(statements=[(sql, values)]))

    async def cancel(self, id: str) -> None:
        """Write that a batch is to end as cancelled, if it has not ended.

        Raises:
            StoreError: the disk is full or can't be written.
        """
        sql = "UPDATE batches SET state = 'cancelling' WHERE id = ? AND ended IS NULL"
        await self._jobs.write(Change(statements=[(sql, (id,))]))

    async def end(self, record: BatchRecord, fact: Fact) -> None:
        """Write how a batch ended."""
        sql = "UPDATE batches SET state = ?, ended = ?, told = ? WHERE id = ?"
        values = (record.state, record.ended, _told(record), record.id)
        await self._jobs.write(Change(statements=[(sql, values)], facts=[fact]))

    async def forget(self, id: str) -> None:
        """Remove a batch, with its facts."""
        await self._jobs.write(Change(statements=[(sql, (id,)) for sql in FORGET_BATCH]))

    def find(self, id: str) -> BatchRecord | None:
        """Return a batch as it was last written."""
        rows = self._jobs.rows(f"{SELECT} WHERE id = ?", id)
        return _record(rows[0]) if rows else None

    def is_same(self, id: str, submission: BatchSubmission) -> bool:
        """Whether a batch was submitted with this content."""
        ((digest,),) = self._jobs.rows("SELECT digest FROM batches WHERE id = ?", id)
        return bytes(digest) == blake3(encode(submission)).digest()

    def page(self, limit: int, offset: int, start: str) -> tuple[list[BatchRecord], int]:
        """Return batches whose ids begin with ``start``, newest first, and how many there are in all."""
        where, ids = "WHERE id BETWEEN ? AND ?", (start, start + chr(sys.maxunicode))
        order = "ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?"
        rows = self._jobs.rows(f"{SELECT} {where} {order}", *ids, limit, offset)
        ((total,),) = self._jobs.rows(f"SELECT count(*) FROM batches {where}", *ids)
        return [_record(row) for row in rows], total

    def open(self) -> list[tuple[BatchRecord, BatchSubmission]]:
        """Return the batches that have not ended, with what was submitted, oldest first."""
        rows = self._jobs.rows("SELECT told, body FROM batches WHERE state IN ('running', 'stopped') ORDER BY rowid")
        records = [(_record(row), json.loads(row[1])) for row in rows]
        return [(record, replace(BatchSubmission(**body), id=record.id)) for record, body in records]

    def cancelling(self) -> list[BatchRecord]:
        """Return the batches that were cancelled and have not ended, as they stood when the last row was noted."""
        rows = self._jobs.rows("SELECT told FROM batches WHERE state = 'cancelling'")
        return [self._counted(_record(row)) for row in rows]

    def _counted(self, record: BatchRecord) -> BatchRecord:
        sql = "SELECT body FROM events WHERE job = ? AND kind = 'row' ORDER BY seq DESC LIMIT 1"
        told = [json.loads(body) for (body,) in self._jobs.rows(sql, record.id)]
        return replace(record, **{name: told[0][name] for name in ("done", "failed", "skipped")}) if told else record


def _told(record: BatchRecord) -> str:
    return json.dumps(asdict(record))


def _record(row: Sequence[Any]) -> BatchRecord:
    return BatchRecord(**json.loads(row[0]))
