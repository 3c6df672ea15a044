"""The functions of packs that see, and change, each request to run a prompt before it is checked."""

import json
from collections.abc import Collection
from typing import Any

from engine.errors import InputError, LoomisError, shortened
from nodes.packs import current
from nodes.packs.names.server import PromptServer

LARGEST = 2**25
"""Characters of a request at most, as JSON. It goes to the server whole, among what is told of jobs."""


def handled(packs: Collection[str], text: str) -> tuple[str, list[str]]:
    """Return a request, as JSON, after the handlers of packs saw it one after the other, and what went wrong.

    One that fails, or gives what is no request, leaves it as it was.
    """
    problems = []
    for pack in packs:
        try:
            current.load(pack)
        except LoomisError as error:
            problems.append(error.message)
    for pack, handler in PromptServer.instance.prompt_handlers:
        if pack in packs:
            try:
                with current.running(pack):
                    text = _text(handler(json.loads(text)))
            except (Exception, SystemExit) as error:
                why = f"{type(error).__name__}: {shortened(str(error))}"
                problems.append(f"What the node pack {pack} does to each prompt failed, so it was left out: {why}")
    return text, problems


def _text(body: Any) -> str:
    """Return as JSON what a handler gave."""
    if not isinstance(body, dict) or not isinstance(body.get("prompt"), dict):
        raise InputError("it gave no prompt")
    text = json.dumps(body, allow_nan=False)
    if len(text) > LARGEST:
        raise InputError("it made the prompt too large")
    return text
