"""Load image encoders by path: the module ``comfy.clip_vision``. Its rest is placeholders."""

from pathlib import Path
from typing import Any

from nodes.packs.names.loaded import load as load_by_node
from nodes.packs.names.loaded import name_of
from nodes.packs.names.placeholders import Absent, members_of
from nodes.packs.objects.vision import ClipVisionModel as OurClipVision
from nodes.packs.objects.vision import Output

__all__ = ["ClipVisionModel", "Output", "load"]
__getattr__ = members_of(__name__)


class ClipVisionModel(metaclass=Absent):
    """The type of image encoders of nodes. It can't be made."""

    absent_name = "comfy.clip_vision.ClipVisionModel"


ClipVisionModel.register(OurClipVision)


def load(ckpt_path: str | Path) -> Any:
    """Return the image encoder of a file."""
    return load_by_node("CLIPVisionLoader", name_of(("clip_vision",), ckpt_path))[0]
