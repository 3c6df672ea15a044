"""Node packs may see and change each prompt that clients of ComfyUI send: a worker calls their handlers."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from engine.errors import InputError
from engine.formats.detect import is_api
from server.app.services import Services
from server.comfy.bodies import PromptBody, checked
from server.jobs.submit import SECRETS
from server.workers.asking import NoAnswer

log = logging.getLogger("loomis.packs")


async def handled(found: Services, given: dict[str, Any], body: PromptBody) -> tuple[PromptBody, Sequence[str]]:
    """Return a request as the handlers of packs leave it, and what its job should tell of them.

    Where one fails, gives nonsense or takes too long, it stays as it was; the last is told in the log once.

    ``given`` is the request as it came: handlers see names in it that we don't know, and no credentials. A workflow as
    the editor saves it, which ComfyUI does not take, they don't see.
    """
    packs = [pack.name for pack in found.packs if pack.handles_prompts]
    if not packs or not found.asked or not is_api(body.prompt):
        return body, ()
    extra = {name: value for name, value in body.extra_data.items() if name not in SECRETS}
    try:
        text, problems, left_out = await found.asked.handle_prompt(packs, json.dumps({**given, "extra_data": extra}))
        for problem in problems:
            log.warning(problem)
        return checked(json.loads(text), PromptBody), [*problems, *left_out]
    except (NoAnswer, InputError) as error:
        problem = f"What node packs do to each prompt was left out: {error.message}"
        log.warning(problem)
        return body, [problem]
