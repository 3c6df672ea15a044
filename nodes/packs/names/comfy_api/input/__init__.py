"""The module ``comfy_api.input``."""

from typing import Any

from nodes.packs.names.comfy_api.latest import _input


def __getattr__(name: str) -> Any:
    return getattr(_input, name)
