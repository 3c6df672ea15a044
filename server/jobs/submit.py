"""From a submission to a job: what is kept of it, and what it is compared by."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import blake3

from engine.schema import Files
from engine.validate import BoundGraph
from server.jobs.records import Job, Submission

SECRETS = frozenset({"auth_token_comfy_org", "api_key_comfy_org"})
"""Credentials that clients of ComfyUI send in ``extra``. It goes into the history and files, so they are dropped."""


BETWEEN = b",\n"
"""Stands between the parts of a submission, and nowhere else: JSON has no line break within a text."""


def encode(submission: Submission) -> bytes:
    """Return what was submitted as JSON, a part a line, without how it is to be queued, and without credentials."""
    part = {"part": asdict(submission.part)} if submission.part else {}
    parts = part | {
        "workflow": submission.workflow,
        "parameters": submission.parameters,
        "targets": submission.targets,
        "partial": submission.partial,
        "keep": submission.keep,
        "extra": {name: value for name, value in submission.extra.items() if name not in SECRETS},
        "annotations": submission.annotations,
    }
    return b"{" + BETWEEN.join(f'"{name}": {_text(value)}'.encode() for name, value in parts.items()) + b"}"


MANY = 500


def _text(value: Any) -> str:
    """Return a value as JSON. Of an object of many entries each is written by itself, so that other threads go on."""
    if not isinstance(value, Mapping) or len(value) < MANY:
        return json.dumps(value)
    return "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in value.items()) + "}"


def digest(body: bytes) -> bytes:
    """Return what tells two submissions apart: the digest of the JSON on one line."""
    return blake3.blake3(body.replace(BETWEEN, b", ")).digest()


def parts(body: bytes) -> dict[str, bytes]:
    """Return the parts of a submission by name, each as the JSON that it is."""
    lines = body[1:-1].split(BETWEEN)
    if len(lines) == 1:  # written by an earlier version
        return {name: json.dumps(value).encode() for name, value in json.loads(body).items()}
    named = (line.split(b": ", 1) for line in lines)
    return {name.strip(b'"').decode(): value for name, value in named}


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
