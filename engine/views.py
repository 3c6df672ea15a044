"""Values looked at from outside, straight from their byte form: as JSON or as a picture, without torch.

In JSON a tensor is ``{"$tensor": {"dtype": ..., "shape": [...]}}``, a wire class ``{"$type": name, field: value}``,
bytes are ``{"$bytes": length}``, a dict whose keys are no texts is ``{"$items": [[key, value], ...]}``.
"""

from io import BytesIO
from typing import Any, Literal

import msgpack

from engine.values import BIG_INT, BUFFER, DICT, WIRE, Packed, Tree

PICTURE_FORMATS = {"png": ("PNG", {"compress_level": 1}), "webp": ("WEBP", {"quality": 90, "method": 2})}


def to_plain(packed: Packed) -> Any:
    """Return a value as JSON has it."""
    return _plain(msgpack.unpackb(packed.tree, unicode_errors="surrogatepass"))


def _plain(tree: Tree) -> Any:
    if isinstance(tree, bytes):
        return {"$bytes": len(tree)}
    if not isinstance(tree, list):
        return tree
    tag, *rest = tree
    if tag == BUFFER:
        return {"$tensor": {"dtype": rest[1], "shape": rest[2]}}
    if tag == BIG_INT:
        return int.from_bytes(rest[0], "little", signed=True)
    if tag == WIRE:
        return {"$type": rest[0], **dict(zip(rest[1::2], map(_plain, rest[2::2]), strict=True))}
    items = [_plain(item) for item in rest]
    if tag != DICT:
        return items
    pairs = list(zip(items[::2], items[1::2], strict=True))
    return dict(pairs) if all(isinstance(key, str) for key, _ in pairs) else {"$items": pairs}


def pictures(packed: Packed) -> int:
    """Return how many pictures a value is: an IMAGE (batch, height, width, 3 or 4) or a MASK (batch, height, width)."""
    tree = msgpack.unpackb(packed.tree, unicode_errors="surrogatepass") if len(packed.buffers) == 1 else None
    if not isinstance(tree, list) or tree[0] != BUFFER or packed.specs[0].dtype != "float32":
        return 0
    shape = packed.specs[0].shape
    whole = all(shape) and (len(shape) == 3 or (len(shape) == 4 and shape[3] in (3, 4)))
    return shape[0] if whole else 0


def to_picture(packed: Packed, item: int, format: Literal["png", "webp"], size: int | None = None) -> bytes:
    """Return one picture of a value for which ``pictures`` is more than ``item``, as a file.

    ``size`` bounds the longer side in pixels. Values are cut to 0 to 1, and one that is no number is black.
    """
    import numpy as np  # only who looks at pictures pays for these
    from PIL import Image

    shape = packed.specs[0].shape
    batch = np.frombuffer(packed.buffers[0], np.float32).reshape(shape)
    pixels = np.nan_to_num(batch[item] * np.float32(255), nan=0.0, posinf=255, neginf=0).clip(0, 255).round()
    picture = Image.fromarray(pixels.astype(np.uint8))
    if size is not None and max(picture.size) > size:
        picture.thumbnail((size, size))
    name, options = PICTURE_FORMATS[format]
    file = BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()
