"""What lies on a wire has no history: torch, where it is loaded, records none in the threads that call nodes.

The mode belongs to a thread. A lane's thread is ours and stays so; the thread of a run's loop gets its mode back. While
another thread imports torch, the package has only some of its functions; its compiled part is whole as soon as it is
there, so the mode is asked and set there.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def record_none() -> None:
    """Have torch record no operations in this thread from now on."""
    torch = _compiled()
    if torch is not None and torch.is_grad_enabled():
        torch._set_grad_enabled(False)


@contextmanager
def given_back() -> Iterator[None]:
    """Give this thread the mode back that it had."""
    torch = _compiled()
    was_off = torch is not None and not torch.is_grad_enabled()
    try:
        yield
    finally:
        torch = _compiled()
        if not was_off and torch is not None:
            torch._set_grad_enabled(True)


def _compiled() -> ModuleType | None:
    """Return the part of torch that holds the mode, if it is loaded."""
    torch = sys.modules.get("torch._C")
    return torch if hasattr(torch, "_set_grad_enabled") else None
