"""Load ControlNets by path: the module ``comfy.controlnet``. Its rest is placeholders."""

from pathlib import Path
from typing import Any

from nodes.packs.names.loaded import load, name_of
from nodes.packs.names.placeholders import Absent, members_of
from nodes.packs.objects.controlnet import ControlNet as OurControlNet

__getattr__ = members_of(__name__)


class ControlBase(metaclass=Absent):
    """The type of ControlNets of nodes. It can't be made."""

    absent_name = "comfy.controlnet.ControlBase"


class ControlNet(ControlBase):
    """The type of ControlNets of nodes. It can't be made."""

    absent_name = "comfy.controlnet.ControlNet"


ControlNet.register(OurControlNet)


def load_controlnet(ckpt_path: str | Path, model: Any = None, **options: Any) -> Any:
    """Return the ControlNet of a file; with a model one whose weights are added to that model's."""
    name = name_of(("controlnet",), ckpt_path)
    return (load("ControlNetLoader", name) if model is None else load("DiffControlNetLoader", model, name))[0]
