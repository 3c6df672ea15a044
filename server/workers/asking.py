"""Questions to the code of node packs, on their way to a worker and back."""

import asyncio
from collections.abc import Sequence
from itertools import count

from engine.errors import LoomisError
from server.workers.contract import Answered, Ask
from server.workers.state import WorkerState

ASK_SECONDS = 120.0
"""How long an answer is waited for. The first question may import a pack, and what it needs."""


class NoAnswer(LoomisError):
    """The code of a node pack did not answer."""

    code = "pack_no_answer"


class Asking:
    """The questions that are not answered yet. Used on one event loop."""

    def __init__(self, workers: Sequence[WorkerState]) -> None:
        self._workers = workers
        self._numbers = count()
        self._waiting: dict[int, tuple[WorkerState, asyncio.Future[bytes]]] = {}
        self._ready = asyncio.Event()

    async def ask(self, what: str, body: bytes, seconds: float = ASK_SECONDS) -> bytes:
        """Ask the first worker that is there. Packs may keep things in their process, so it is the same each time.

        Raises:
            NoAnswer: none came in time, the code failed, or its worker died.
        """
        try:
            async with asyncio.timeout(seconds):
                while not (ready := [worker for worker in self._workers if worker.ready]):
                    self._ready.clear()
                    await self._ready.wait()
                return await self._put(ready[0], what, body)
        except TimeoutError:
            raise NoAnswer(
                f"A node pack did not answer within {seconds:g} s.", hint="See the log of the server."
            ) from None

    async def _put(self, worker: WorkerState, what: str, body: bytes) -> bytes:
        id = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[id] = worker, future
        try:
            worker.carrier.send([Ask(id, what, body)])
            return await future
        finally:
            self._waiting.pop(id, None)

    def there(self) -> None:
        """A worker is there."""
        self._ready.set()

    def answered(self, report: Answered) -> None:
        """Take an answer."""
        _, future = self._waiting.get(report.id, (None, None))
        if future is None or future.done():
            return
        if report.error:
            future.set_exception(NoAnswer(f"The code of a node pack failed: {report.error}", hint="See its makers."))
        else:
            future.set_result(report.body)

    def died(self, worker: WorkerState, message: str) -> None:
        """Let go of what a worker was asked that is dead."""
        for asked, future in self._waiting.values():
            if asked is worker and not future.done():
                future.set_exception(NoAnswer(f"The worker that was asked is gone. {message}", hint="Try again."))
