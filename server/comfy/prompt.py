"""``/prompt``: take a workflow."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine import Engine
from engine.errors import InputError, JobConflict, WorkflowError
from engine.formats.detect import is_api
from server.app.answers import answer
from server.app.services import services
from server.comfy.bodies import PromptBody, checked, read_prompt
from server.comfy.faults import node_errors, refused, told
from server.comfy.handlers import handled
from server.comfy.items import extra_labels, plain_number, split_extra
from server.comfy.twice import twice
from server.jobs.records import Job, Submission
from server.jobs.service import Jobs

MALFORMED = {"prompt": "invalid_prompt", "prompt_id": "invalid_prompt_id", "id": "invalid_prompt_id"}


async def submit(request: Request) -> Response:
    """Queue a workflow, in the API format or as the editor saves it. Outputs that are not valid are left out.

    The body may also be a picture or video that carries a workflow.
    """
    found = services(request)
    try:
        given = await read_prompt(request)
        if isinstance(given, dict) and "prompt" not in given:
            what = "The body is a workflow itself" if is_api(given) else "There is no prompt in the body"
            return _refuse("no_prompt", f'{what}: send {{"prompt": {{...}}}}.')
        body, warnings = await handled(found, given, checked(given, PromptBody))
        if source := request.headers.get("comfy-usage-source"):
            body.extra_data.setdefault("comfy_usage_source", source)
        job = await _submit(found.engine, found.jobs, body)
        for warning in warnings:
            found.jobs.warn(job.id, warning)
    except InputError as error:
        return _refuse(MALFORMED.get(error.input or "", "invalid_request"), error.message, error.input or "")
    except JobConflict as error:
        return _refuse("invalid_prompt_id", error.message, str(error.got))
    except WorkflowError as error:
        return answer(await asyncio.to_thread(refused, error, body.prompt, found.engine.registry), 400)
    faults = await asyncio.to_thread(node_errors, job.faults, body.prompt, found.engine.registry) if job.faults else {}
    return answer({"prompt_id": job.id, "number": plain_number(job), "node_errors": faults})


async def _submit(engine: Engine, jobs: Jobs, body: PromptBody) -> Job:
    targets = body.partial_execution_targets
    if targets is not None and body.prompt:
        targets = await asyncio.to_thread(_outputs, engine, body.prompt, targets)
    extra, annotations = split_extra(body.extra_data)
    return await jobs.submit(
        Submission(
            body.prompt,
            id=body.prompt_id,
            targets=None if targets is None else tuple(targets),
            partial=True,
            number=body.number,
            front=body.front,
            client=body.client_id,
            labels=extra_labels(body.extra_data),
            extra=extra,
            annotations=annotations,
        )
    )


def _outputs(engine: Engine, workflow: dict[str, Any], wanted: Sequence[str]) -> list[str]:
    """Return those of the wanted nodes that are output nodes."""
    prompt = engine.load(workflow).prompt
    specs = {id: engine.registry.specs.get(prompt[id]["class_type"]) for id in dict.fromkeys(wanted) if id in prompt}
    return [id for id, spec in specs.items() if spec and spec.output_node]


def _refuse(type: str, message: str, details: str = "") -> Response:
    return answer({"error": told(type, message, details), "node_errors": {}}, 400)


async def remaining(request: Request) -> Response:
    """How many jobs wait and run."""
    return answer(exec_info(services(request).jobs))


def exec_info(jobs: Jobs, untold: int = 0) -> dict[str, Any]:
    """Return how many jobs have not ended, with those whose end is ``untold``. The history of the others is on disk."""
    return {"exec_info": {"queue_remaining": len(jobs.live.jobs) + len(jobs.live.ending) + untold}}


ROUTES: list[Route] = [*twice("/prompt", submit, "POST"), *twice("/prompt", remaining)]
