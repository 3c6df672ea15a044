"""Load the parts of a model from files of their own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.node import Files, Widget, node
from nodes.lazy import lazy
from nodes.loaders import LoadedCheckpoint, load_checkpoint
from nodes.recipes import Clip, DiscreteSampling, FileRef, Model, Rounded

if TYPE_CHECKING:
    from nodes.models import files, service
else:
    files = lazy("nodes.models.files")
    service = lazy("nodes.models.service")

UNETS, ENCODERS = "diffusion_models", "text_encoders"

TextEncoderFile = Annotated[str, Files(ENCODERS)]
Device = Annotated[Literal["default", "cpu"] | None, Widget(advanced=True)]


@node("UNETLoader", category="advanced/loaders", display_name="Load Diffusion Model", resource="io")
def load_unet(
    ctx: Context,
    unet_name: Annotated[str, Files(UNETS)],
    weight_dtype: Literal["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"],
) -> Model:
    """Load a diffusion network, in the original layout or in diffusers'.

    An 8-bit dtype rounds its weights to what that dtype holds. They are kept as all weights are, so this gives the
    picture of 8 bits and neither its size in memory nor its speed. Not compared with the reference.
    """
    files.detected(ctx, UNETS, unet_name, "unet")
    rounded = (
        () if weight_dtype == "default" else (Rounded("float8_e5m2" if "e5m2" in weight_dtype else "float8_e4m3fn"),)
    )
    return Model(FileRef(UNETS, ctx.fingerprint(UNETS, unet_name)), rounded)


SINGLE: Mapping[str, str | None] = {"stable_diffusion": None, "sd3": "sd3"}
"""What CLIPLoader calls the families that are known -> their names here; None is what the file says."""


def check_single(type: str) -> str | None:
    """Say what is wrong with a family of text encoders that is not known yet."""
    return None if type in SINGLE else f"text encoders of {type} are not supported yet, {' and '.join(SINGLE)} are"


@node(
    "CLIPLoader",
    category="advanced/loaders",
    display_name="Load CLIP",
    resource="io",
    validate={"type": check_single},
)
def load_clip(
    ctx: Context,
    clip_name: TextEncoderFile,
    type: Literal[
        "stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart", "cosmos", "lumina2",
        "wan", "hidream", "chroma", "ace", "omnigen2", "qwen_image", "hunyuan_image",
    ],
    device: Device = None,
) -> Clip:  # fmt: skip
    """Load a text encoder: CLIP's L of Stable Diffusion 1, OpenCLIP's bigG of the SDXL refiner, or one of SD3's.

    Where it computes is the pool's to decide; ``device`` changes nothing.
    """
    return _encoders(ctx, SINGLE[type], clip_name)


PAIRS = ("sdxl", "sd3", "flux")


def check_pair(type: str) -> str | None:
    """Say what is wrong with a family of two text encoders that is not known yet."""
    return None if type in PAIRS else f"text encoders of {type} are not supported yet, {', '.join(PAIRS)} are"


@node("DualCLIPLoader", category="advanced/loaders", resource="io", validate={"type": check_pair})
def load_two_clips(
    ctx: Context,
    clip_name1: TextEncoderFile,
    clip_name2: TextEncoderFile,
    type: Literal["sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image"],
    device: Device = None,
) -> Clip:
    """Load two text encoders, in either order: CLIP's L and OpenCLIP's bigG for SDXL, CLIP's L and T5 for Flux.

    SD3 takes any two of these three. Where they compute is the pool's to decide; ``device`` changes nothing.
    """
    return _encoders(ctx, type, clip_name1, clip_name2)


@node("TripleCLIPLoader", category="advanced/loaders", resource="io")
def load_three_clips(
    ctx: Context, *, clip_name1: TextEncoderFile, clip_name2: TextEncoderFile, clip_name3: TextEncoderFile
) -> Clip:
    """Load the three text encoders of SD3, in any order: CLIP's L, OpenCLIP's bigG and T5.

    Not compared with the reference.
    """
    return _encoders(ctx, "sd3", clip_name1, clip_name2, clip_name3)


def _encoders(ctx: Context, family: str | None, *names: str) -> Clip:
    """Return text encoders from files of their own.

    Raises:
        ModelError: they are not those of the family.
    """
    first, *others = [_encoder(ctx, name) for name in names]
    clip = Clip(first, beside=tuple(others), family=family)
    ctx.use(service.pool).encoders(clip)
    return clip


def _encoder(ctx: Context, name: str) -> FileRef:
    files.detected(ctx, ENCODERS, name, "text")
    return FileRef(ENCODERS, ctx.fingerprint(ENCODERS, name))


@node(
    "CheckpointLoader",
    category="advanced/loaders",
    display_name="Load Checkpoint With Config (DEPRECATED)",
    resource="io",
    deprecated=True,
)
def load_checkpoint_with_config(
    ctx: Context,
    *,
    config_name: Literal[
        "anything_v3.yaml", "v1-inference.yaml", "v1-inference_clip_skip_2.yaml", "v1-inference_clip_skip_2_fp16.yaml",
        "v1-inference_fp16.yaml", "v1-inpainting-inference.yaml", "v2-inference-v.yaml", "v2-inference-v_fp32.yaml",
        "v2-inference.yaml", "v2-inference_fp32.yaml", "v2-inpainting-inference.yaml",
    ],
    ckpt_name: Annotated[str, Files("checkpoints")],
) -> LoadedCheckpoint:  # fmt: skip
    """Load a checkpoint and say by a known configuration what it predicts and which layer of the text counts.

    Everything else is read off the file. Not compared with the reference.
    """
    model, clip, vae = load_checkpoint(ctx, ckpt_name)
    if "inference-v" in config_name:
        model = replace(model, options=(*model.options, DiscreteSampling("v_prediction")))
    if "clip_skip_2" in config_name or config_name.startswith("anything"):
        clip = replace(clip, layer=-2)
    return LoadedCheckpoint(model, clip, vae)
