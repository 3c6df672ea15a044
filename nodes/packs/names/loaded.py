"""Weights that foreign code loads by path, and the model files of ours that they stand for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.errors import InputError
from nodes.packs.names import folder_paths
from nodes.packs.names.classes import node_class


class StateDict(dict[str, Tensor]):
    """The tensors of a file by name. It knows its file, and whether it still is what the file holds."""

    def __init__(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        super().__init__(tensors)
        self.path = path
        self._given = {name: id(tensor) for name, tensor in tensors.items()}

    def is_whole(self) -> bool:
        """Whether it has the tensors of the file, and no others."""
        return {name: id(tensor) for name, tensor in self.items()} == self._given


def file_of(weights: Any, what: str) -> Path:
    """Return the file that weights were loaded from.

    Raises:
        InputError: they were changed, or made otherwise.
    """
    if isinstance(weights, StateDict) and weights.is_whole():
        return weights.path
    raise InputError(
        f"A pack makes {what} of weights that are in no file.",
        got=type(weights).__name__,
        expected="what comfy.utils.load_torch_file gave for a file, unchanged",
        hint="Use the file as it is, or another node.",
    )


def name_of(kinds: Sequence[str], path: str | Path) -> str:
    """Return the name that a model file has in the folders of some kinds of models.

    Raises:
        InputError: it lies in none of them.
    """
    roots = [root for kind in kinds for root in folder_paths.get_folder_paths(kind)]
    for root in roots:
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    raise InputError(
        f"A pack loads a model from outside of the folders for {kinds[0]}.",
        got=str(path),
        expected=roots,
        hint="Put the file there.",
    )


def load(type: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Return what a loader of ours gives, as foreign objects."""
    found: tuple[Any, ...] = node_class(type).execute(*args, **kwargs)
    return found
