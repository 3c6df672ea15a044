"""A pack as people write them for ComfyUI's classic protocol."""

import folder_paths  # noqa: F401 - packs do

import nodes

from .parts import MAPPINGS
from .parts.words import Shout

print("a banner that nobody asked for")

NODE_CLASS_MAPPINGS = {"Shout": Shout, **MAPPINGS}
NODE_DISPLAY_NAME_MAPPINGS = {"Shout": "Shout it"}
MAX = nodes.MAX_RESOLUTION
