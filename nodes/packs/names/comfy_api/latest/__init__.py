"""The newer interface of nodes: ``comfy_api.latest``."""

from nodes.packs.names.comfy_api.latest import _input as Input
from nodes.packs.names.comfy_api.latest import _input_impl as InputImpl
from nodes.packs.names.comfy_api.latest import _io as io
from nodes.packs.names.comfy_api.latest import _ui as ui
from nodes.packs.names.comfy_api.latest import _util as Types
from nodes.packs.names.comfy_api.latest._api import ComfyAPI, ComfyAPISync, ComfyExtension

IO = io
UI = ui
ComfyAPI_latest = ComfyAPI

__all__ = [
    "IO", "UI", "ComfyAPI", "ComfyAPISync", "ComfyAPI_latest", "ComfyExtension", "Input", "InputImpl", "Types", "io",
    "ui",
]  # fmt: skip
