"""What the routes of one server work with."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from engine import Engine
from server.app.tally import Tally
from server.batches.service import Batches
from server.jobs.service import Jobs
from server.packs import AskedOfWorkers
from server.workers.dispatcher import Dispatcher

if TYPE_CHECKING:
    from nodes.packs.facts import PackFacts


@dataclass(frozen=True, slots=True)
class Services:
    """The engine that checks and plans, jobs and batches, who runs them, and what was counted of them.

    ``data`` is the data folder, ``frontend`` that of a frontend in place of the page. ``packs`` are the node packs that
    there are, and ``asked`` is who asks their code.
    """

    engine: Engine
    jobs: Jobs
    batches: Batches
    dispatcher: Dispatcher
    tally: Tally
    data: Path
    frontend: Path | None = None
    packs: tuple["PackFacts", ...] = ()
    asked: AskedOfWorkers | None = None

    async def free(self, *, models: bool, values: bool) -> None:
        """Let go of models, or of remembered values, in memory: now, and in workers that are busy after their job."""
        if values:
            await asyncio.to_thread(self.engine.free, values=True)
        if models or values:
            self.dispatcher.free(models, values)


def services(connection: HTTPConnection) -> Services:
    """Return the services that a request or a socket came to."""
    found: Services = connection.app.state.services
    return found
