import pytest

from engine.errors import NodeFailure
from engine.folders import Folders
from nodes.packs.names.comfy import model_base
from nodes.packs.objects import to_foreign
from nodes.recipes import FileRef, Model


def test_a_network_is_known_by_its_type_and_what_it_predicts(loading: Folders) -> None:
    network = to_foreign("MODEL", Model(FileRef("checkpoints", "sub/tiny.safetensors"))).model
    assert isinstance(network, model_base.BaseModel) and not isinstance(network, model_base.SDXL)
    assert network.model_type is model_base.ModelType.V_PREDICTION


def test_it_can_be_subclassed_and_not_made() -> None:
    class Own(model_base.BaseModel):
        pass

    with pytest.raises(NodeFailure, match=r"comfy\.model_base\.BaseModel"):
        Own(None)
