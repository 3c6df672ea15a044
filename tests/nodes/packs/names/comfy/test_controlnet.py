import pytest

from engine.errors import InputError, NodeFailure
from engine.folders import Folders
from nodes.packs.names.comfy import controlnet
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import ControlNet, FileRef
from tests.nodes.models import tiny


def test_a_controlnet_is_loaded_by_its_path(loading: Folders) -> None:
    path = tiny.write(loading.models[0] / "controlnet" / "edges.safetensors", tiny.control())
    found = controlnet.load_controlnet(str(path))
    assert from_foreign("CONTROL_NET", found) == ControlNet(FileRef("controlnet", "edges.safetensors"))
    with pytest.raises(InputError, match="outside"):
        controlnet.load_controlnet("/elsewhere/edges.safetensors")


def test_types_of_controlnets() -> None:
    found = to_foreign("CONTROL_NET", ControlNet(FileRef("controlnet", "a")))
    assert isinstance(found, controlnet.ControlNet) and isinstance(found, controlnet.ControlBase)
    assert not isinstance(found, controlnet.T2IAdapter)
    with pytest.raises(NodeFailure):
        controlnet.ControlBase()
