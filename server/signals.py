"""Ctrl-C: the first cancels the run, the second ends the program at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def cancelled_by_ctrl_c() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C (or SIGTERM) sets. The second exits with code 130."""
    cancel = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR.encode())
            os._exit(130)
        cancel.set()
        typer.echo("Cancelling. Press Ctrl-C again to stop at once.", err=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
