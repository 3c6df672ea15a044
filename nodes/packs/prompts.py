"""The functions of packs that see, and change, each request to run a prompt before it is checked."""

import json
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

from engine.errors import InputError, LoomisError, shortened
from nodes.packs import current
from nodes.packs.names.server import PromptServer

LARGEST = 2**25
"""Characters of a request at most, as JSON. It goes to the server whole, among what is told of jobs."""

SECONDS = 20.0
"""How long a handler may take. One that takes longer is left out from then on, in this process."""

_stuck: list[tuple[str, Callable[..., Any]]] = []


class Stuck(Exception):
    """A handler did not end in time."""


def handled(packs: Collection[str], text: str) -> tuple[str, list[str], list[str]]:
    """Return a request, as JSON, after the handlers of packs saw it one after the other.

    One that fails, takes too long, or gives what is no request, leaves it as it was. Returned besides: what went wrong,
    and which handlers were left out because they took too long before.
    """
    problems, left_out = [], []
    for pack in packs:
        try:
            current.load(pack)
        except LoomisError as error:
            problems.append(error.message)
    for pack, handler in PromptServer.instance.prompt_handlers:
        if pack not in packs:
            continue
        if (pack, handler) in _stuck:
            left_out.append(f"What the node pack {pack} does to each prompt was left out: it took too long before.")
            continue
        try:
            with current.running(pack):
                text = _text(_in_time(handler, json.loads(text)))
        except Stuck:
            _stuck.append((pack, handler))
            problems.append(
                f"What the node pack {pack} does to each prompt took more than {SECONDS:g} s, so it is left out until "
                "the server starts again."
            )
        except (Exception, SystemExit) as error:
            why = f"{type(error).__name__}: {shortened(str(error))}"
            problems.append(f"What the node pack {pack} does to each prompt failed, so it was left out: {why}")
    return text, problems, left_out


def _in_time(handler: Callable[..., Any], body: Any) -> Any:
    """Return what a handler gives, called in a thread of its own, which is left to itself where it does not end.

    Raises:
        Stuck: it did not end in time.
    """
    given: Future[Any] = Future()
    context = copy_context()

    def call() -> None:
        try:
            given.set_result(context.run(handler, body))
        except BaseException as error:  # SystemExit too: whoever waits hears it
            given.set_exception(error)

    threading.Thread(target=call, name="loomis-handler", daemon=True).start()
    try:
        return given.result(SECONDS)
    except TimeoutError:
        if given.done():
            raise
        raise Stuck from None


def _text(body: Any) -> str:
    """Return as JSON what a handler gave."""
    if not isinstance(body, dict) or not isinstance(body.get("prompt"), dict):
        raise InputError("it gave no prompt")
    text = json.dumps(body, allow_nan=False)
    if len(text) > LARGEST:
        raise InputError("it made the prompt too large")
    return text
