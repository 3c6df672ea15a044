"""The module ``comfy_api.util``."""

from typing import Any

from nodes.packs.names.comfy_api.latest import _util


def __getattr__(name: str) -> Any:
    return getattr(_util, name)
