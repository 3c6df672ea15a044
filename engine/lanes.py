"""Where nodes run: a long-lived thread for each device, a pool for the processor, one for waiting, one event loop.

Grad mode, CUDA stream and OpenMP pool belong to a thread, so a device lane keeps its own.
"""

import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from engine.schema import Resource

if TYPE_CHECKING:
    import asyncio

IO_THREADS = 32


class Lanes:
    """The threads of one or several engines, started on first use. Their runs share them."""

    def __init__(self, cpu_threads: int | None = None) -> None:
        self._threads = {"cpu": cpu_threads or max(2, os.cpu_count() or 2), "io": IO_THREADS}
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def submit(self, resource: Resource, device: str, work: Callable[[], None]) -> None:
        """Run ``work`` on a lane. It must not raise.

        For the resource ``gpu`` that is the one thread of ``device``, as torch names it: ``cuda`` is ``cuda:0``. Two
        devices have two threads; ``cpu`` and ``mps`` are devices too.
        """
        lane = f"gpu-{device if device != 'cuda' else 'cuda:0'}" if resource == "gpu" else resource
        pool = self._pools.get(lane)
        if pool is None:
            with self._lock:
                if lane not in self._pools:
                    self._pools[lane] = ThreadPoolExecutor(self._threads.get(lane, 1), f"loomis-{lane}")
                pool = self._pools[lane]
        pool.submit(work)

    def start(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Run a coroutine on the event loop. Cancelling the future cancels it at its next await."""
        import asyncio  # costs more than the rest of the engine's imports, and few graphs have async nodes

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="loomis-async", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        if self._loop is not None:
            self.start(_end_tasks()).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _end_tasks() -> None:
    """Cancel what is on the event loop, and let it come to its end."""
    import asyncio

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
