"""Names for the types of nodes' inputs and outputs, for packs that are typed."""

from collections.abc import Callable
from typing import Any, Protocol

from nodes.packs.names.comfy.comfy_types.node_typing import (
    IO,
    CheckLazyMixin,
    ComfyNodeABC,
    FileLocator,
    HiddenInputTypeDict,
    InputTypeDict,
    InputTypeOptions,
)

__all__ = [
    "IO", "CheckLazyMixin", "ComfyNodeABC", "FileLocator", "HiddenInputTypeDict", "InputTypeDict", "InputTypeOptions",
    "UnetApplyConds", "UnetApplyFunction", "UnetParams", "UnetWrapperFunction",
]  # fmt: skip

UnetParams = dict[str, Any]
UnetApplyConds = dict[str, Any]
UnetWrapperFunction = Callable[[Callable[..., Any], UnetParams], Any]


class UnetApplyFunction(Protocol):
    """What predicts for a latent ``x`` at the level ``t``."""

    def __call__(self, x: Any, t: Any, **conditions: Any) -> Any: ...
