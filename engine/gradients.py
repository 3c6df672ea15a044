"""What lies on a wire has no history: torch, where it is loaded, records none in the threads that call nodes.

The mode belongs to a thread. A lane's thread is ours and stays so; the thread of a run's loop gets its mode back.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def record_none() -> None:
    """Have torch record no operations in this thread from now on."""
    if _recorded():
        sys.modules["torch"].set_grad_enabled(False)


@contextmanager
def given_back() -> Iterator[None]:
    """Give this thread the mode back that it had."""
    was_off = "torch" in sys.modules and not _recorded()
    try:
        yield
    finally:
        if not was_off and "torch" in sys.modules and not _recorded():
            sys.modules["torch"].set_grad_enabled(True)


def _recorded() -> bool:
    is_enabled = getattr(sys.modules.get("torch"), "is_grad_enabled", bool)  # another thread may be importing it
    return bool(is_enabled())
