"""From a submission to a job: what is kept of it, and what it is compared by."""

import json
import time
from dataclasses import asdict

import blake3

from engine.schema import Files
from engine.validate import BoundGraph
from server.jobs.records import Job, Sent, Submission

SECRETS = frozenset({"auth_token_comfy_org", "api_key_comfy_org"})
"""Credentials that clients of ComfyUI send in ``extra``. It goes into the history and files, so they are dropped."""


def encode(submission: Submission) -> bytes:
    """Return what was submitted as JSON, without how it is to be queued, and without credentials."""
    part = {"part": asdict(submission.part)} if submission.part else {}
    return json.dumps(
        part
        | {
            "workflow": submission.workflow,
            "parameters": submission.parameters,
            "targets": submission.targets,
            "partial": submission.partial,
            "keep": submission.keep,
            "extra": {name: value for name, value in submission.extra.items() if name not in SECRETS},
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


def make_job(submission: Submission, id: str, number: float, bound: BoundGraph) -> Job:
    """Return the job that a checked submission becomes."""
    now = time.time()
    return Job(
        id=id,
        state="queued",
        priority=submission.priority,
        number=number,
        created=now,
        targets=bound.targets,
        models=tuple(sorted(model_files(bound))),
        deadline=None if submission.timeout is None else now + submission.timeout,
        labels=submission.labels,
        owner=submission.owner,
        client=submission.client,
        faults=bound.faults,
    )


def model_files(bound: BoundGraph) -> set[str]:
    """Return the model files that a graph names, each below its folder."""
    return {
        f"{port.choices.folder}/{node.literals[port.name]}"
        for node in bound.nodes.values()
        for port in node.spec.inputs
        if isinstance(port.choices, Files) and port.name in node.literals
    }
