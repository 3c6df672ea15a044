"""What is done, one thing after the other, when memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from engine.errors import OutOfMemory, shortened
from engine.failures import ran_out
from nodes.models.residents import Residents, gib

Done = TypeVar("Done")


def freed(residents: Residents) -> Iterator[str]:
    """The first rung: what is not in use leaves the memory."""
    if left := residents.free():
        yield f"Models that are not in use left the memory ({gib(left)})."


class Ladder:
    """Work that is tried again after each rung.

    ``rungs`` does a thing each time it is asked for the next one, and says what it did; ``tell`` hears that.
    """

    def __init__(self, rungs: Iterator[str], tell: Callable[[str], None]) -> None:
        self._rungs = rungs
        self._tell = tell

    def climb(self, work: Callable[[], Done]) -> Done:
        """Return what ``work`` returns, once it has the memory for it.

        Raises:
            OutOfMemory: no rung is left.
        """
        while True:
            try:
                return work()
            except Exception as error:
                if not ran_out(error):
                    raise
                lack = error if isinstance(error, OutOfMemory) else _translated(error)
            lack.__traceback__ = None  # it holds what the work has made so far
            rung = next(self._rungs, None)
            if rung is None:
                raise lack
            self._tell(f"{lack.message} {rung}")


def _translated(error: Exception) -> OutOfMemory:
    return OutOfMemory(
        "The memory of the device ran out.",
        got=shortened(str(error)),
        expected="memory for weights and work",
        hint="Use a smaller size or batch, or a lower precision.",
    )
