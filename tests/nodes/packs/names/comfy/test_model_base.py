import pytest

from engine.errors import NodeFailure
from engine.folders import Folders
from nodes.packs.names.comfy import model_base, model_patcher, sd, supported_models
from nodes.packs.names.folder_paths import get_full_path_or_raise


def test_a_model_is_known_by_types_and_family(loading: Folders) -> None:
    model, *_ = sd.load_checkpoint_guess_config(get_full_path_or_raise("checkpoints", "sub/tiny.safetensors"))
    assert isinstance(model, model_patcher.ModelPatcher)
    assert isinstance(model.model, model_base.BaseModel) and not isinstance(model.model, model_base.SDXL)
    assert model.model.model_type is model_base.ModelType.V_PREDICTION
    assert isinstance(model.model.model_config, supported_models.SD15)
    assert not isinstance(model.model.model_config, supported_models.Flux)


def test_types_can_be_subclassed_and_not_made() -> None:
    for base in (model_patcher.ModelPatcher, model_base.BaseModel):
        with pytest.raises(NodeFailure, match=base.__name__):
            type(base)("Own", (base,), {})(None)
