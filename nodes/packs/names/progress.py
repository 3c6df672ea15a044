"""What foreign nodes tell of their progress, and how they stop: over the `Context` of the call that runs."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, WeakSet

from engine.context import Context
from engine.errors import Cancelled

Shown: TypeAlias = tuple[str, Any, int | None]
"""A format (``JPEG`` or ``PNG``), a picture of Pillow's and the most pixels that a side may have."""

_last: "WeakKeyDictionary[Context, tuple[int, int]]" = WeakKeyDictionary()
_interrupted: "WeakSet[Context]" = WeakSet()


class InterruptProcessingException(Cancelled):
    """The run was cancelled, or foreign code asks that it ends."""

    def __init__(self, message: str = "The run was cancelled.", **facts: Any) -> None:
        super().__init__(message, **facts)


def report(context: Context | None, value: float, maximum: float, preview: Shown | None = None) -> None:
    """Say that ``value`` of ``maximum`` is done. Without a context nobody hears of it.

    Raises:
        InterruptProcessingException: the run was cancelled.
    """
    if context is None:
        return
    check(context)
    _last[context] = int(min(value, maximum)), int(maximum)
    context.progress(*_last[context], encoder(preview) if preview else None)


def show(context: Context | None, preview: Shown) -> None:
    """Show a picture of where a node is, which is as far as it last said."""
    if context is not None:
        report(context, *_last.get(context, (0, 1)), preview)


def check(context: Context | None) -> None:
    """Stop here if the run was cancelled.

    Raises:
        InterruptProcessingException: it was.
    """
    if interrupted(context):
        raise InterruptProcessingException
    if context is not None:
        try:
            context.check()
        except Cancelled as error:
            raise InterruptProcessingException(error.message, node=error.node) from error


def interrupt(context: Context | None, value: bool = True) -> None:
    """Ask that the run of a call ends, or take that back."""
    if context is not None:
        (_interrupted.add if value else _interrupted.discard)(context)


def interrupted(context: Context | None) -> bool:
    """Whether foreign code asked in this call that the run ends. Who called the node ends it then."""
    return context is not None and context in _interrupted


def encoder(preview: Shown) -> Callable[[], bytes]:
    """Return what makes a file of a preview."""
    format, picture, longest = preview

    def encoded() -> bytes:
        small = picture.copy()
        if longest:
            small.thumbnail((longest, longest))
        file = BytesIO()
        if format == "PNG":
            small.save(file, "PNG", compress_level=1)
        else:
            small.convert("RGB").save(file, "JPEG", quality=85)
        return file.getvalue()

    return encoded
