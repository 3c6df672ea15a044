"""From a submission to a job: what is kept of it, and what it is compared by."""

import json
import time
from collections.abc import Collection

import blake3

from engine.errors import Fault
from server.jobs.records import Job, Sent, Submission


def encode(submission: Submission) -> bytes:
    """Return what was submitted as JSON, without how it is to be queued."""
    return json.dumps(
        {
            "workflow": submission.workflow,
            "parameters": submission.parameters,
            "targets": submission.targets,
            "partial": submission.partial,
            "extra": submission.extra,
            "annotations": submission.annotations,
        }
    ).encode()


def digest(body: bytes) -> bytes:
    """Return what tells two submissions apart."""
    return blake3.blake3(body).digest()


def decode(body: bytes) -> Sent:
    """Return the large part of a submission."""
    sent = json.loads(body)
    return Sent(sent["workflow"], sent["parameters"], sent["extra"], sent["annotations"])


def make_job(
    submission: Submission, id: str, number: float, targets: Collection[str], faults: Collection[Fault]
) -> Job:
    """Return the job that a checked submission becomes."""
    now = time.time()
    return Job(
        id=id,
        state="queued",
        priority=submission.priority,
        number=number,
        created=now,
        targets=tuple(targets),
        deadline=None if submission.timeout is None else now + submission.timeout,
        labels=submission.labels,
        owner=submission.owner,
        client=submission.client,
        faults=tuple(faults),
    )
