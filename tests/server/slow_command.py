"""The command with one more node type: ``Slow`` waits, and says how far it is."""

import time

from engine.context import Context
from engine.node import node
from server.cli import main


@node("Slow", resource="io")
def slow(ctx: Context, steps: int, seconds: float) -> int:
    """Wait."""
    for step in range(steps):
        time.sleep(seconds)
        ctx.progress(step + 1, steps)
    return steps


main()
