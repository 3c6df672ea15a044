from engine.folders import Folders
from nodes.packs.names.comfy import supported_models
from nodes.packs.objects import to_foreign
from nodes.recipes import FileRef, Model


def test_a_model_is_known_by_its_family(loading: Folders) -> None:
    config = to_foreign("MODEL", Model(FileRef("checkpoints", "sub/tiny.safetensors"))).model.model_config
    assert isinstance(config, supported_models.SD15) and not isinstance(config, supported_models.SDXL)
    assert not isinstance(config, supported_models.Flux)
