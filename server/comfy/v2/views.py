"""Jobs and what they show as API v2 tells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from engine.errors import ValidationError
from engine.folders import Folders
from server.app.services import services
from server.comfy.events import Story
from server.comfy.v2.bodies import metadata
from server.comfy.v2.errors import node_errors
from server.comfy.v2.items import Item, items
from server.files.errors import NoSuchFile
from server.jobs.records import Job, JobState, Progress

STATUSES: dict[JobState, str] = {
    "queued": "queued", "running": "running", "succeeded": "succeeded", "failed": "failed", "cancelled": "canceled",
}  # fmt: skip
NEVER = "9999-12-31T23:59:59Z"
"""When something expires that does not: jobs are kept by their number, and files until somebody removes them."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the addresses that a client follows; ``base`` is where it reached the server."""

    base: str
    folders: Folders

    @classmethod
    def of(cls, request: Request) -> "Links":
        """Return those for who sent a request."""
        return cls(str(request.base_url).rstrip("/"), services(request).engine.folders)

    def job(self, id: str) -> dict[str, str]:
        """Return what can be asked of a job."""
        own = f"/api/v2/jobs/{quote(id, safe='')}"
        return {"self": own, "events": f"{own}/events", "cancel": f"{own}/cancel"}

    def content(self, asset: str) -> str:
        """Return where the bytes of an asset are."""
        return f"{self.base}/api/v2/assets/{asset}/content"

    def output(self, job: str, item: Item) -> dict[str, Any]:
        """Return something that a job shows. A file that is gone has no bytes."""
        return {
            "node_id": item.node,
            "name": item.name,
            "type": item.kind,
            "content_type": item.content_type,
            "size_bytes": size(item, self.folders),
            "id": item.id,
            "hash": None,
            "url": self.content(item.id),
            "url_expires_at": NEVER,
            "job_id": job,
        }


def size(item: Item, folders: Folders) -> int:
    """Return the bytes of something that a job shows. Looks at the file."""
    try:
        return len(item.content) if item.place is None else item.path(folders).stat().st_size
    except (NoSuchFile, FileNotFoundError):
        return 0


def job_data(
    job: Job, links: Links, position: int | None = None, progress: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a job. Looks at its files. ``position`` counts from 1; ``progress`` is what `progress_data` returns."""
    faults = node_errors(ValidationError(list(job.faults))) if job.faults else None
    said = {"metadata": metadata(job), "priority": job.priority or None, "node_errors": faults}
    return {
        "id": job.id,
        "status": STATUSES[job.state],
        "created_at": moment(job.created),
        "started_at": job.began and moment(job.began),
        "completed_at": job.ended and moment(job.ended),
        "expires_at": NEVER,
        "create_time": moment(job.created),
        "update_time": moment(job.ended or job.began or job.created),
        "queue_position": position,
        "progress": progress,
        "outputs": [links.output(job.id, item) for item in items(job)],
        "error": error_data(job.error) if job.error else None,
        "metrics": {"queue_ms": _between(job.created, job.began), "execution_ms": _between(job.began, job.ended)},
        "urls": links.job(job.id),
    } | {name: value for name, value in said.items() if value is not None}


def error_data(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return why a job failed."""
    hint = error.get("hint")
    return {
        "code": "node_execution_error" if error.get("node") else error.get("code", "error"),
        "message": error.get("message", "") + (f" {hint}" if hint else ""),
        "node_id": error.get("node"),
        "class_type": error.get("class_type"),
        "traceback": "".join(error["raised"]["traceback"]) if "raised" in error else None,
    }


def progress_data(story: Story, newest: Progress | None) -> dict[str, Any]:
    """Return how far a job is; ``newest`` is the step of a node, if one that runs has said so."""
    done, total = story.count
    part = newest.value / newest.maximum if newest and newest.maximum else 0.0
    node, type = story.node, story.type
    found: dict[str, Any] = {
        "value": min(1.0, (done + min(part, 1.0)) / total) if total else 0.0,
        "nodes_done": done,
        "nodes_total": total,
        "current_node": node,
        "current_node_class": type,
    }
    if newest is None:
        return found
    name = type or node
    message = f"{name} {newest.value}/{newest.maximum}"
    return found | {"step": newest.value, "steps": newest.maximum, "message": message}


def moment(seconds: float) -> str:
    """Return a time as the API writes it (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _between(begin: float | None, end: float | None) -> int | None:
    return None if begin is None or end is None else int((end - begin) * 1000)
