"""``python -m server.workers``: a worker process. It is started by a server and ends with it."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO

import msgpack

from server.workers.contract import Close, Report, decode, decoder, encode
from server.workers.opening import Opening
from server.workers.worker import Worker

NICE = 10
"""How far a worker that computes on the processor steps back behind the server."""


def main() -> None:
    """Take orders from standard input and report to standard output until the server says so, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = private_streams()
    batches = decoder(source)
    opening = Opening(*next(batches))
    worker = Worker(lambda reports: send(sink, reports))
    threading.Thread(target=listen, args=(worker, batches), daemon=True).start()
    engine = opening.open()
    if engine.settings.device == "cpu" and sys.platform != "win32":
        os.nice(NICE)
    if "nodes.packs.current" in sys.modules:
        sys.modules["nodes.packs.current"].set_sender(worker.send)
    threading.Thread(target=prepare, args=(worker, opening.ahead), daemon=True).start()
    worker.run(engine)
    engine.close()
    os._exit(0)  # what is still being imported has no part in the end


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes to the server. What nodes print goes to standard error; what they read is empty."""
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return source, sink


def listen(worker: Worker, batches: msgpack.Unpacker) -> None:
    """Take orders. When they end although nobody closed, the server is gone, and so is this process."""
    for batch in batches:
        orders = decode(batch)
        worker.take(orders)
        if any(isinstance(order, Close) for order in orders):
            return
    os._exit(1)


def send(sink: BinaryIO, reports: Sequence[Report]) -> None:
    """Report to the server."""
    try:
        sink.write(encode(reports))
        sink.flush()
    except BrokenPipeError:
        os._exit(1)


def prepare(worker: Worker, modules: Sequence[str]) -> None:
    """Import what most jobs need and what takes long. What can't be imported fails the job that needs it."""
    for name in modules:
        with suppress(Exception):
            import_module(name)
    worker.say_prepared()


if __name__ == "__main__":
    main()
