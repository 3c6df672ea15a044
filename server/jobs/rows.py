"""Jobs as rows of the database, and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.errors import Fault
from server.jobs.records import Job

COLUMNS = (
    "id", "state", "priority", "number", "created", "targets", "models", "began", "ended", "deadline", "attempts",
    "deaths", "labels", "owner", "client", "worker", "faults", "outputs", "error",
)  # fmt: skip
SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"
UPSERT = (
    f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
)


def job_to_row(job: Job) -> tuple[Any, ...]:
    """Return the columns of a job."""
    return (
        job.id, job.state, job.priority, job.number, job.created, json.dumps(job.targets), json.dumps(job.models),
        job.began, job.ended, job.deadline, job.attempts, job.deaths, json.dumps(job.labels), job.owner, job.client,
        job.worker,
        json.dumps([asdict(fault) for fault in job.faults]) if job.faults else "[]",
        json.dumps(job.outputs) if job.outputs else "{}",
        json.dumps(job.error) if job.error else None,
    )  # fmt: skip


def job_from_row(row: Sequence[Any]) -> Job:
    """Return the job that a row holds."""
    fields = dict(zip(COLUMNS, row, strict=True))
    faults = [Fault(**{**fault, "outputs": tuple(fault["outputs"])}) for fault in json.loads(fields["faults"])]
    return Job(
        **fields
        | {
            "targets": tuple(json.loads(fields["targets"])),
            "models": tuple(json.loads(fields["models"])),
            "labels": tuple(json.loads(fields["labels"])),
            "faults": tuple(faults),
            "outputs": json.loads(fields["outputs"]),
            "error": fields["error"] and json.loads(fields["error"]),
        }
    )
