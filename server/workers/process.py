"""A worker in a process of its own: its death costs no more than the node it was at."""

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from server.settings import Options
from server.workers.contract import Close, Order, Report, WorkerDied, decode, decoder, encode
from server.workers.heartbeat import Activity, activity
from server.workers.opening import Opening

TAIL_LINES = 40
CHUNK = 2**18
CLOSE_SECONDS = 5.0


class ProcessCarrier:
    """Starts ``python -m server.workers`` and talks to it over its standard input and output.

    ``vocabulary`` names the function that returns the node types, as ``module:function``; ``ahead`` are modules to
    import before the first job needs them. What the worker writes to standard error is passed on, and its last lines
    are kept.
    """

    def __init__(self, options: Options, device: str, vocabulary: str, ahead: tuple[str, ...] = ()) -> None:
        self.device = device
        self._opening = Opening(options.model_copy(update={"device": device}).model_dump_json(), vocabulary, ahead)
        self._process: asyncio.subprocess.Process | None = None
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    async def start(self) -> None:
        """Start the process."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.workers", stdin=pipe, stdout=pipe, stderr=pipe, limit=CHUNK
        )
        self._decoder = decoder()
        self._tail.clear()
        self._listening = asyncio.create_task(self._listen(self._process))
        self._write(self._opening.encode())

    def send(self, orders: Sequence[Order]) -> None:
        """Give orders. A dead process takes none; `receive` says so."""
        self._write(encode(orders))

    def _write(self, data: bytes) -> None:
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    async def receive(self) -> Sequence[Report]:
        """Wait for reports.

        Raises:
            WorkerDied: the process has ended, or said what can't be read.
        """
        process = self._process
        assert process and process.stdout
        while True:
            data = await process.stdout.read(CHUNK)
            if not data:
                raise await self._death(process)
            try:
                self._decoder.feed(data)
                reports = [report for batch in self._decoder for report in decode(batch)]
            except Exception as error:  # whatever it is: what comes after it can't be read either
                process.kill()
                message = f"The worker said what can't be read: {type(error).__name__}."
                raise WorkerDied(message, "".join(self._tail)) from error
            if reports:
                return reports

    async def _death(self, process: asyncio.subprocess.Process) -> WorkerDied:
        code = await process.wait()
        with suppress(TimeoutError):  # a child of the worker may hold its standard error open
            await asyncio.wait_for(asyncio.shield(self._listening), 1.0)
        if code >= 0:
            return WorkerDied(f"The worker ended with exit code {code}.", "".join(self._tail))
        return WorkerDied(f"The worker was ended by {signal.Signals(-code).name}.", "".join(self._tail))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Pass on what the process writes to standard error, and keep the end."""
        assert process.stderr
        while data := await process.stderr.read(CHUNK):
            text = data.decode(errors="replace")
            sys.stderr.write(text)
            self._tail.extend(text.splitlines(keepends=True))

    def activity(self) -> Activity:
        """Return what the process has done so far."""
        return activity(self._process.pid) if self._process else Activity({})

    def kill(self) -> None:
        """End the process at once."""
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """Ask the process to end, and end it when it does not."""
        if self._process is None:
            return
        self.send([Close()])
        if self._process.stdin:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), CLOSE_SECONDS)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
