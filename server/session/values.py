"""A value of the store in the form in which an editor wants it."""

from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import WorkflowError
from engine.store import Store
from engine.values import Packed, to_bytes
from engine.views import pictures, to_picture, to_plain
from server.session.errors import NotRemembered

Format = Literal["png", "webp", "json", "safetensors"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as a file in ``data``, or as JSON in ``value``. ``items`` is how many pictures it is."""

    format: Format
    items: int
    value: Any = None
    data: bytes | None = None


def show(
    store: Store, digest: bytes, format: Format | Literal["auto"] = "auto", *, item: int = 0, size: int | None = None
) -> Shown:
    """Return a value. ``auto`` makes WEBP of a picture and JSON of everything else; ``item`` is a place in a batch.

    Raises:
        NotRemembered: it is gone, or has no byte form.
        WorkflowError: it has no such form, or no such item.
    """
    packed = store.packed(digest)
    if packed is None:
        raise NotRemembered(
            "The value is not in the store.",
            got=digest.hex(),
            expected="a value that is remembered",
            hint="Run to its node again.",
        )
    items = pictures(packed)
    match format:
        case "auto":
            return show(store, digest, "webp" if items else "json", item=item, size=size)
        case "json":
            return Shown(format, items, value=to_plain(packed))
        case "safetensors":
            if not packed.buffers:
                raise _no_form(packed, format, "json")
            return Shown(format, items, data=to_bytes(packed))
    if not items:
        raise _no_form(packed, format, "safetensors" if packed.buffers else "json")
    if item >= items:
        raise WorkflowError(
            f"There is no picture {item} in the batch.",
            got=item,
            expected=f"0 to {items - 1}",
            hint="Use one of these.",
        )
    return Shown(format, items, data=to_picture(packed, item, format, size))


def _no_form(packed: Packed, format: str, other: str) -> WorkflowError:
    return WorkflowError(
        f"The value can't be had as {format}.", got=to_plain(packed), expected=other, hint=f"Ask for {other}."
    )
