"""Small functions that nodes share: the module ``node_helpers``."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from PIL import ImageFile
from torch import Tensor

T = TypeVar("T")
R = TypeVar("R")


def conditioning_set_values(
    conditioning: Sequence[Sequence[Any]], values: Mapping[str, Any] | None = None, append: bool = False
) -> list[list[Any]]:
    """Return encoded prompts, each a pair of tensor and options, with other options. The given ones stay.

    With ``append`` a value is put behind the one that is there.
    """
    found = []
    for context, options in conditioning:
        added = dict(values or {})
        if append:
            added = {name: options[name] + value if name in options else value for name, value in added.items()}
        found.append([context, {**options, **added}])
    return found


def pillow(fn: Callable[[T], R], arg: T) -> R:
    """Return what a function of Pillow gives; a file that was cut off is read as far as it goes."""
    try:
        return fn(arg)
    except (OSError, ValueError):
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return fn(arg)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def hasher() -> Callable[..., Any]:
    """Return the hash function that files are told apart by."""
    return hashlib.sha256


def string_to_torch_dtype(string: str) -> torch.dtype | None:
    """Return the dtype of ``fp32``, ``fp16`` or ``bf16``, else None."""
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}.get(string)


def image_alpha_fix(destination: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Return two pictures (..., channels) with as many channels as the first: the second loses some, or is opaque."""
    count = destination.shape[-1]
    missing = count - source.shape[-1]
    if missing <= 0:
        return destination, source[..., :count]
    return destination, torch.cat([source, source.new_ones(*source.shape[:-1], missing)], -1)
