"""Byte form of numpy arrays (a codec of `engine.values`)."""

from typing import Any

import numpy as np

from engine.values import NoByteForm

NUMERIC = "biufc"


def encode(value: np.ndarray[Any, Any]) -> tuple[str, tuple[int, ...], memoryview]:
    """Return dtype name, shape and elements of a bool, integer, float or complex array."""
    if value.dtype.kind not in NUMERIC:
        raise NoByteForm(f"an array of {value.dtype} has no byte form", got=value.dtype, expected="numbers or bool")
    plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    return value.dtype.name, value.shape, plain.reshape(-1).view(np.uint8).data


def beside(value: np.ndarray[Any, Any], elements: memoryview) -> int:
    """Return how many bytes the array keeps alive besides its elements: the rest of what it is a view of."""
    root = value
    while isinstance(root.base, np.ndarray):
        root = root.base
    kept = root.nbytes if root.base is None else int(getattr(root.base, "nbytes", root.nbytes))
    return kept - (elements.nbytes if np.may_share_memory(value, np.frombuffer(elements, np.uint8)) else 0)


def decode(dtype: str, shape: tuple[int, ...], buffer: memoryview) -> np.ndarray[Any, Any]:
    """Return the array. It shares a buffer that is writable and aligned, else it is a copy."""
    kind = np.dtype(dtype)
    if kind.kind not in NUMERIC:
        raise ValueError(f"{dtype} is not a dtype of numbers")
    array: np.ndarray[Any, Any] = np.frombuffer(buffer, np.uint8).view(kind).reshape(shape)
    return array if array.flags.writeable and array.flags.aligned else array.copy()
