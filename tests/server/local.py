"""A worker in this process: the contract without a pipe, which takes no second to start."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from engine import Engine
from server.workers.contract import Close, Order, Report
from server.workers.heartbeat import Activity
from server.workers.worker import Worker


class LocalCarrier:
    """Runs jobs in a thread of this process. It can't be killed: a node that never ends holds it."""

    def __init__(self, open_engine: Callable[[], Engine], device: str = "cpu") -> None:
        self.device = device
        self._open_engine = open_engine
        self._worker: Worker | None = None

    async def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._reports: asyncio.Queue[Sequence[Report]] = asyncio.Queue()
        self._engine = self._open_engine()
        self._worker = Worker(self._send)
        self._thread = threading.Thread(
            target=self._worker.run, args=(self._engine,), name="loomis-worker", daemon=True
        )
        self._thread.start()
        self._worker.say_prepared()

    def send(self, orders: Sequence[Order]) -> None:
        """Give orders. A worker that was not started takes none."""
        if self._worker:
            self._worker.take(orders)

    async def receive(self) -> Sequence[Report]:
        """Wait for reports."""
        return await self._reports.get()

    def activity(self) -> Activity:
        """Say that it works: who asks is in the same process."""
        return Activity({}, waits_for_disk=True)

    def kill(self) -> None:
        """Ask it to end: a thread can't be made to."""
        self.send([Close()])

    async def close(self) -> None:
        """End the thread and close the engine."""
        if self._worker is None:
            return
        self.send([Close()])
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._engine.close)

    def _send(self, reports: Sequence[Report]) -> None:
        self._loop.call_soon_threadsafe(self._reports.put_nowait, reports)
