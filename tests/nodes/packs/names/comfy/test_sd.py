"""Models loaded by path are those that our loaders give."""

import pytest

from engine.errors import InputError, NodeFailure
from engine.folders import Folders
from nodes.packs.names import answer, folder_paths
from nodes.packs.names.comfy import sd
from nodes.packs.names.comfy.utils import load_torch_file
from nodes.packs.objects import from_foreign
from nodes.recipes import Clip, FileRef, Model, Vae

CHECKPOINT = FileRef("checkpoints", "sub/tiny.safetensors")


def path(kind: str, name: str) -> str:
    return folder_paths.get_full_path_or_raise(kind, name)


def test_a_checkpoint_is_loaded_in_parts(loading: Folders) -> None:
    where = path("checkpoints", "sub/tiny.safetensors")
    model, clip, vae, vision = sd.load_checkpoint_guess_config(where, output_vae=True, output_clip=True)
    assert from_foreign("MODEL", model) == Model(CHECKPOINT) and from_foreign("CLIP", clip) == Clip(CHECKPOINT)
    assert from_foreign("VAE", vae) == Vae(CHECKPOINT) and vision is None
    assert sd.load_checkpoint_guess_config(where, output_vae=False, output_clip=False)[1:] == (None, None, None)
    assert len(sd.load_checkpoint("config", where)) == 3


def test_a_vae_is_made_of_its_file(loading: Folders) -> None:
    weights = load_torch_file(path("vae", "alone.safetensors"))
    vae = sd.VAE(sd=weights)
    assert from_foreign("VAE", vae) == Vae(FileRef("vae", "alone.safetensors"))
    assert isinstance(vae, sd.VAE) and not isinstance(vae, sd.CLIP)
    with pytest.raises(InputError):
        sd.VAE(sd={})

    class Own(sd.VAE):
        pass

    with pytest.raises(NodeFailure, match=r"comfy\.sd\.VAE"):
        Own(sd=weights)


def test_a_lora_is_laid_over_models(loading: Folders) -> None:
    model, clip, *_ = sd.load_checkpoint_guess_config(path("checkpoints", "sub/tiny.safetensors"))
    lora = load_torch_file(path("loras", "lora.safetensors"), safe_load=True)
    both = sd.load_lora_for_models(model, clip, lora, 0.5, 0.25)
    strengths = [
        from_foreign(kind, each).patches[0].strength for kind, each in zip(("MODEL", "CLIP"), both, strict=True)
    ]
    assert strengths == [0.5, 0.25]
    alone, nothing = sd.load_lora_for_models(model, None, lora, 0.5, 0)
    assert nothing is None and len(from_foreign("MODEL", alone).patches) == 1
    lora.popitem()
    with pytest.raises(InputError, match="a LoRA"):
        sd.load_lora_for_models(model, clip, lora, 1, 1)


def test_the_rest_is_placeholders() -> None:
    assert sd.CLIPType.STABLE_DIFFUSION.name == "STABLE_DIFFUSION"
    with pytest.raises(NodeFailure, match=r"comfy\.sd\.load_diffusion_model_state_dict"):
        answer("comfy.sd").load_diffusion_model_state_dict({})  # type: ignore[union-attr]
