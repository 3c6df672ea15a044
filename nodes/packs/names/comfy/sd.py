"""Load models by the paths of their files: the module ``comfy.sd``, over our loaders. Its rest is placeholders."""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from nodes.packs.names.comfy.controlnet import load_controlnet
from nodes.packs.names.loaded import file_of, load, name_of
from nodes.packs.names.placeholders import Absent, members_of
from nodes.packs.objects.clip import CLIP as OurClip
from nodes.packs.objects.vae import VAE as OurVae

__all__ = [
    "CLIP", "VAE", "CLIPType", "load_checkpoint", "load_checkpoint_guess_config", "load_clip", "load_controlnet",
    "load_diffusion_model", "load_lora_for_models", "load_unet",
]  # fmt: skip
__getattr__ = members_of(__name__)


class CLIPType(Enum):
    """Families of text encoders."""

    STABLE_DIFFUSION = 1
    STABLE_CASCADE = 2
    SD3 = 3
    STABLE_AUDIO = 4
    HUNYUAN_DIT = 5
    FLUX = 6
    MOCHI = 7
    LTXV = 8
    HUNYUAN_VIDEO = 9
    PIXART = 10
    COSMOS = 11
    LUMINA2 = 12
    WAN = 13
    HIDREAM = 14
    CHROMA = 15
    ACE = 16
    OMNIGEN2 = 17
    QWEN_IMAGE = 18
    HUNYUAN_IMAGE = 19


class _MadeOfFile(Absent):
    """The type of VAE: calling it loads a file."""

    def __call__(cls, sd: Any = None, **more: Any) -> Any:
        if cls is not VAE:
            return super().__call__()
        return load("VAELoader", name_of(("vae", "vae_approx"), file_of(sd, "a VAE")))[0]


class VAE(metaclass=_MadeOfFile):
    """The autoencoder of weights that were loaded from a file. Those of nodes are of this type, too."""

    absent_name = "comfy.sd.VAE"


class CLIP(metaclass=Absent):
    """The type of text encoders of nodes. It can't be made."""

    absent_name = "comfy.sd.CLIP"


VAE.register(OurVae)
CLIP.register(OurClip)


def load_checkpoint_guess_config(
    ckpt_path: str | Path,
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    *args: Any,
    **kwargs: Any,
) -> tuple[Any, Any, Any, Any]:
    """Return model, text encoder, VAE and image encoder of a checkpoint; None for those that are not wanted."""
    name = name_of(("checkpoints",), ckpt_path)
    model, clip, vae, *vision = load("unCLIPCheckpointLoader" if output_clipvision else "CheckpointLoaderSimple", name)
    return model, clip if output_clip else None, vae if output_vae else None, vision[0] if vision else None


def load_checkpoint(
    config_path: Any = None, ckpt_path: Any = None, output_vae: bool = True, output_clip: bool = True, **kwargs: Any
) -> tuple[Any, Any, Any]:
    """Return model, text encoder and VAE of a checkpoint. What it is shows in its weights, not in a config."""
    return load_checkpoint_guess_config(ckpt_path, output_vae, output_clip)[:3]


def load_diffusion_model(unet_path: str | Path, *args: Any, **kwargs: Any) -> Any:
    """Return the diffusion model of a file."""
    return load("UNETLoader", name_of(("diffusion_models",), unet_path), "default")[0]


load_unet = load_diffusion_model


def load_clip(
    ckpt_paths: Sequence[str | Path],
    embedding_directory: Any = None,
    clip_type: CLIPType = CLIPType.STABLE_DIFFUSION,
    **kwargs: Any,
) -> Any:
    """Return the text encoders of one file, or of SDXL's two."""
    names = [name_of(("text_encoders",), path) for path in ckpt_paths]
    if len(names) == 1:
        return load("CLIPLoader", names[0], clip_type.name.lower())[0]
    return load("DualCLIPLoader", *names, "sdxl")[0]


def load_lora_for_models(
    model: Any, clip: Any, lora: Any, strength_model: float, strength_clip: float
) -> tuple[Any, Any]:
    """Return model and text encoder with a LoRA laid over them; either may be None.

    Raises:
        InputError: the LoRA is not as it is in its file.
    """
    name = name_of(("loras",), file_of(lora, "a LoRA"))
    if clip is None:
        return load("LoraLoaderModelOnly", model, name, strength_model)[0], None
    found = load("LoraLoader", model, clip, name, strength_model, strength_clip)
    return found[0], found[1]
