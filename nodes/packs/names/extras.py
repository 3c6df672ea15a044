"""The modules of ``comfy_extras``: a class that they have is our node of that name, or a placeholder."""

from collections.abc import Callable
from typing import Any

from nodes import vocabulary
from nodes.packs.names.placeholders import HERE, AbsentModule, placeholder

NAMED = {
    "Blend": "ImageBlend",
    "Blur": "ImageBlur",
    "EpsilonScaling": "Epsilon Scaling",
    "ImageRebatch": "RebatchImages",
    "LatentRebatch": "RebatchLatents",
    "Quantize": "ImageQuantize",
    "Sharpen": "ImageSharpen",
}
"""Node types by the names of their classes, where these are others."""


def classes_of(module: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module of ``comfy_extras``."""

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        type = NAMED.get(name, name)
        if type not in vocabulary():
            return placeholder(f"{module.removeprefix(HERE)}.{name}")
        from nodes.packs.names.classes import node_class  # imports torch

        return node_class(type)

    return get


class ExtrasModule(AbsentModule):
    """A module of ``comfy_extras`` that has node classes only."""

    def __getattr__(self, name: str) -> Any:
        return classes_of(self.__name__)(name)
