"""Jobs and facts as plain data, as every way in shows them."""

from typing import Any

from server.jobs.records import Events, Job, JobEvent
from server.report import plain_data


def job_data(job: Job) -> dict[str, Any]:
    """Return a job as plain data."""
    return {
        "id": job.id,
        "state": job.state,
        "priority": job.priority,
        "number": job.number,
        "created": job.created,
        "began": job.began,
        "ended": job.ended,
        "deadline": job.deadline,
        "targets": job.targets,
        "models": job.models,
        "attempts": job.attempts,
        "deaths": job.deaths,
        "labels": job.labels,
        "owner": job.owner,
        "client": job.client,
        "worker": job.worker,
        "faults": [plain_data(fault) for fault in job.faults],
        "outputs": job.outputs,
        "error": job.error,
    }


def listed_data(job: Job) -> dict[str, Any]:
    """Return a job among others as plain data: where in a node's code it failed is told of one job alone."""
    found = job_data(job)
    if job.error:
        found["error"] = {name: value for name, value in job.error.items() if name != "raised"}
    return found


def event_data(event: JobEvent) -> dict[str, Any]:
    """Return a fact as plain data."""
    return {
        "seq": event.seq,
        "job": event.job,
        "node": event.node,
        "time": event.time,
        "kind": event.kind,
        "data": event.data,
    }


def events_data(found: Events) -> dict[str, Any]:
    """Return facts as plain data. ``pruned`` is the newest number that is gone, if some that were asked for are."""
    return {
        "events": [event_data(event) for event in found.events],
        "pruned": None if found.pruned is None else found.pruned.seq,
    }
