"""The module ``comfy_api.input_impl``."""

from typing import Any

from nodes.packs.names.comfy_api.latest import _input_impl


def __getattr__(name: str) -> Any:
    return getattr(_input_impl, name)
