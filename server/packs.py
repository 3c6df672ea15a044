"""Node packs in a server: their code is in workers. The server knows what they have, and asks a worker for the rest."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import SettingError
from engine.node import Registry
from engine.values import from_bytes, pack, to_bytes, unpack
from server.opening import open_packs
from server.settings import Options
from server.workers.asking import Asking

if TYPE_CHECKING:
    from nodes.packs.facts import NodeFacts, PackFacts

log = logging.getLogger("loomis.packs")

PROMPT_SECONDS = 30.0
"""How long packs may take for what they do to a prompt. The first time they may have to be imported."""


class AskedOfWorkers:
    """Asks the code of packs in a worker. From threads other than that of the loop."""

    asking: Asking | None = None

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def changed(self, facts: "NodeFacts", pack: str, literals: Mapping[str, Any]) -> Any:
        """Return what a node's result depends on besides its inputs."""
        return self._ask("changed", facts.type, dict(literals))

    def wrong(
        self, facts: "NodeFacts", pack: str, literals: Mapping[str, Any], types: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Return what is wrong with a node's inputs, by input."""
        found: dict[str, str] = self._ask("wrong", facts.type, dict(literals), dict(types))
        return found

    def refresh(self) -> None:
        """Have a worker describe packs anew whose folders changed."""
        self._ask("refresh")

    async def request(self, *request: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the answer of a pack's route. On the loop."""
        body = await self._asking().ask("request", to_bytes(pack(list(request))))
        answer: tuple[int, list[tuple[str, str]], bytes] = unpack(from_bytes(body))
        return answer

    async def handle_prompt(self, packs: list[str], text: str) -> tuple[str, list[str], list[str]]:
        """Return a request to run a prompt, as JSON, after packs saw it, what went wrong and what was left out.

        On the loop.

        Raises:
            NoAnswer: no worker answered in time.
        """
        body = await self._asking().ask("prompt", to_bytes(pack([packs, text])), PROMPT_SECONDS)
        answer: tuple[str, list[str], list[str]] = unpack(from_bytes(body))
        return answer

    def _ask(self, what: str, *about: Any) -> Any:
        asked = self._asking().ask(what, to_bytes(pack(list(about))))
        return unpack(from_bytes(asyncio.run_coroutine_threadsafe(asked, self._loop).result()))

    def _asking(self) -> Asking:
        assert self.asking  # there are workers before anybody asks
        return self.asking


def server_packs(options: Options, ours: Registry, asked: AskedOfWorkers) -> tuple[Registry, tuple["PackFacts", ...]]:
    """Return all node types, and what is known of packs. What is not known, a process of its own finds out."""
    if not options.custom_nodes:
        return ours, ()

    def describe() -> None:
        asked.refresh() if asked.asking else describe_elsewhere(options)

    opened = open_packs(options, ours, describe=describe, asked=asked)
    for problem in opened.problems:
        log.warning(problem)
    return opened.registry, opened.packs


def describe_elsewhere(options: Options) -> None:
    """Let another process import the packs, and keep what they have."""
    command = [sys.executable, "-m", "server.workers.describe"]
    done = subprocess.run(command, input=options.model_dump_json().encode(), stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SettingError(
            "The process that looks at the node packs ended.",
            got=f"exit code {done.returncode}",
            hint="See what it wrote; leave out the pack that ends it.",
        )
