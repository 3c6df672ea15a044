"""Weights in torch's own format: a zip or a stream around a pickle, of which only tensors are ever made."""

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

import torch
from torch import Tensor
from torch.serialization import safe_globals

from engine.errors import FileError, ModelError
from nodes.models.weights import AGAIN, DTYPES, EXPECTED, Weights, in_memory

WRAPPERS = ("state_dict", "params_ema", "params-ema", "params", "model_state_dict", "model", "net")
"""Keys that people's files hide the tensors under, beside others; of two that are there the earlier one counts."""


class Ignored:
    """Stands for an object of a training run that lies beside the tensors: its class is not asked for."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Ignored":
        return object.__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


class Parameters(dict[str, Tensor]):
    """Stands for a ParameterDict, in which the first textual inversions are kept."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.update(state["_parameters"])


ALLOWED: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (Ignored, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
    (Ignored, "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint"),
    (Ignored, "numpy.core.multiarray.scalar"),
    (Ignored, "numpy._core.multiarray.scalar"),
    (Ignored, "numpy.dtype"),
    (Ignored, "numpy.dtypes.Float64DType"),
    (Parameters, "torch.nn.modules.container.ParameterDict"),
]
"""What people's files name besides tensors, such as a callback with the best loss, and what stands for it. None of
their own code is called."""

CONVERT = "convert it to safetensors with a tool you trust, or look for the safetensors file of the same model"

OPENING = Lock()
"""What torch may find in a pickle is told to all of its threads, so one file is opened at a time."""

KNOWN = frozenset(getattr(torch, name) for name, _ in DTYPES.values())
"""The dtypes of tensors that are looked at."""


def open_pickled(path: Path) -> Weights:
    """Open weights saved by torch. Raises ModelError where the pickle holds code, FileError where it is broken."""
    loaded = _load(path)
    tensors = _tensors(loaded)
    if not tensors:
        raise FileError(
            f"{path.name} holds no tensors", got="a pickle of something else", expected=EXPECTED, hint=AGAIN
        )
    return replace(in_memory(path, tensors), metadata=_facts(loaded))


def _load(path: Path) -> Any:
    is_zip = zipfile.is_zipfile(path)
    with path.open("rb") as file:
        if file.read(2) == b"PK" and not is_zip:
            raise FileError(
                f"{path.name} is truncated",
                got="a zip without its end",
                expected=EXPECTED,
                hint=AGAIN,
            )
    if is_zip:
        _check_zip(path)
    by_name = is_zip and path.suffix != ".safetensors"  # by that name torch opens it as safetensors, whatever it holds
    try:
        with (
            path.open("rb") as file,
            OPENING,
            safe_globals(ALLOWED),
            warnings.catch_warnings(action="ignore"),
        ):
            return torch.load(path if by_name else file, map_location="cpu", weights_only=True, mmap=by_name)
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise FileError(
            f"{path.name} is broken", got=str(error).split("\n")[0], expected=EXPECTED, hint=AGAIN
        ) from error


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = {PurePosixPath(name).name for name in archive.namelist()}
    if "data.pkl" not in names:
        raise FileError(f"{path.name} is not a weights file", got="a zip archive", expected=EXPECTED, hint=AGAIN)
    if "constants.pkl" in names:
        raise ModelError(
            f"{path.name} is a program, and only weights are read", got="TorchScript", expected=EXPECTED, hint=CONVERT
        )


def _refused(path: Path, error: pickle.UnpicklingError) -> ModelError | FileError:
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    if "Unsupported" not in str(error) and named is None:
        return FileError(f"{path.name} is broken", got="a pickle that can't be read", expected=EXPECTED, hint=AGAIN)
    return ModelError(
        f"{path.name} wants to run code when it is opened, so it was not opened",
        got=f"a pickle that calls {named[1]}" if named else "a pickle with more than tensors",
        expected=EXPECTED,
        hint=CONVERT,
    )


def _tensors(value: Any) -> dict[str, Tensor]:
    """Return the tensors of a loaded pickle by name; those further down are named ``outer.inner``, or by place."""
    while isinstance(value, Mapping) and (inner := _wrapped(value)) is not None:
        value = inner
    if isinstance(value, Tensor):
        return {"tensor": value.detach()}
    found = dict(_named(value, "", DEPTH))
    return {name: tensor for name, tensor in found.items() if tensor.dtype in KNOWN}


DEPTH = 3
"""How far down tensors are looked for: hypernetworks have pairs of networks by width."""


def _named(value: Any, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        if isinstance(item, Tensor):
            yield f"{prefix}{key}", item.detach()
        elif isinstance(item, int | float) and f".{key}".endswith(".alpha"):
            yield f"{prefix}{key}", torch.tensor(float(item))
        elif depth > 1:
            yield from _named(item, f"{prefix}{key}.", depth - 1)


def _facts(value: Any) -> dict[str, str]:
    """Return what a pickle says besides tensors, as JSON by name: numbers, texts and switches at its top."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(key): json.dumps(item) for key, item in items if isinstance(item, str | int | float | bool)}


def _wrapped(value: Mapping[Any, Any]) -> Mapping[Any, Any] | None:
    keys = [*value] if len(value) == 1 else WRAPPERS
    return next((value[key] for key in keys if isinstance(value.get(key), Mapping)), None)
