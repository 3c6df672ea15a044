"""Jobs as ComfyUI lists them: ``[number, id, prompt, extra_data, outputs]``."""

import json
from collections.abc import Mapping
from typing import Any

from server.app.answers import Raw
from server.jobs.records import Job
from server.jobs.service import Jobs
from server.jobs.submit import SECRETS

WORKFLOW = "workflow:"
PREVIEWS = "preview_method:"
LONGEST_ID = 200


def item(jobs: Jobs, job: Job) -> list[Any]:
    """Return a job as the queue and the history have it; its workflow is as it was sent.

    Raises:
        NoSuchJob: it was forgotten meanwhile.
    """
    sent = jobs.sent(job.id)
    return [plain_number(job), job.id, Raw(sent["workflow"]), extra_data(job, sent), list(job.targets)]


def plain_number(job: Job) -> int | float:
    """Return the place of a job in the queue, as an integer where it is one."""
    return int(job.number) if job.number.is_integer() else job.number


def split_extra(extra_data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what goes into files, and the rest without credentials, as annotations of the job."""
    rest = {name: value for name, value in extra_data.items() if name not in SECRETS}
    if not isinstance(rest.get("extra_pnginfo"), dict):
        return {}, {"extra_data": rest}
    return rest.pop("extra_pnginfo"), {"extra_data": rest}


def extra_labels(extra_data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels that say which saved workflow a job runs and which previews were asked for."""
    extra = extra_data.get("extra_pnginfo")
    saved = extra.get("workflow") if isinstance(extra, dict) else None
    id = saved.get("id") if isinstance(saved, dict) else None
    found = {WORKFLOW: id, PREVIEWS: extra_data.get("preview_method")}
    return tuple(name + text for name, text in found.items() if isinstance(text, str) and len(text) <= LONGEST_ID)


def labelled(job: Job, name: str) -> str | None:
    """Return what the label of a job says that begins with a name."""
    return next((label.removeprefix(name) for label in job.labels if label.startswith(name)), None)


def extra_data(job: Job, sent: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what came with a workflow, when it came (``create_time``, ms) and for whom; ``sent`` is JSON by name."""
    given = json.loads(sent["annotations"]).get("extra_data")
    found = dict(given) if isinstance(given, dict) else {}
    if sent["extra"] != b"{}":
        found["extra_pnginfo"] = Raw(sent["extra"])
    if job.client is not None:
        found["client_id"] = job.client
    return found | {"create_time": milliseconds(job.created)}


def milliseconds(seconds: float) -> int:
    """Return a time as ComfyUI writes it."""
    return int(seconds * 1000)
