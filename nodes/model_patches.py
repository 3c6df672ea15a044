"""Change what goes on inside a diffusion network while it runs."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from engine.context import Context
from engine.node import Field, Files, OptionalInput, Widget, node
from nodes.inputs import CELL, Fraction
from nodes.lazy import lazy
from nodes.network_options import DeepShrink, FreeU, Hypernetwork, SoftMask, Tiling, TokenMerging
from nodes.recipes import Clip, FileRef, Model, Scaled, WeightPatch

if TYPE_CHECKING:
    from nodes.models import service
else:
    service = lazy("nodes.models.service")

UNET = "model_patches/unet"
ATTENTION = "_for_testing/attention_experiments"
HYPERNETWORKS = "hypernetworks"

Factor = Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01)]
Part = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.001)]
Resizing = Literal["bicubic", "nearest-exact", "bilinear", "area", "bislerp"]


@node("FreeU", category=UNET)
def freeu(model: Model, b1: Factor = 1.1, b2: Factor = 1.2, s1: Factor = 0.9, s2: Factor = 0.2) -> Model:
    """Strengthen the backbone of a network over its skips: more structure, fewer odd details.

    Si et al. (2023), arXiv 2309.11497. Not compared with the reference.
    """
    return with_option(model, FreeU(b1, b2, s1, s2, by_content=False))


@node("FreeU_V2", category=UNET)
def freeu_v2(model: Model, b1: Factor = 1.3, b2: Factor = 1.4, s1: Factor = 0.9, s2: Factor = 0.2) -> Model:
    """Strengthen the backbone of a network over its skips, more where it is active.

    Si et al. (2023), arXiv 2309.11497, as revised. Not compared with the reference.
    """
    return with_option(model, FreeU(b1, b2, s1, s2, by_content=True))


@node("HyperTile", category=UNET)
def hyper_tile(
    model: Model,
    tile_size: Annotated[int, Field(ge=1, le=2048)] = 256,
    swap_size: Annotated[int, Field(ge=1, le=128)] = 2,
    max_depth: Annotated[int, Field(ge=0, le=10)] = 0,
    scale_depth: bool = False,
) -> Model:
    """Let self-attention stay within tiles, which is faster for large pictures; tiles change from step to step.

    A tile has at least 32 pixels a side. Not compared with the reference.
    """
    return with_option(model, Tiling(max(32, tile_size) // CELL, swap_size, max_depth, scale_depth))


@node("TomePatchModel", category=UNET)
def token_merging(model: Model, ratio: Fraction = 0.3) -> Model:
    """Let self-attention see similar places as one, which is faster for large pictures.

    Bolya and Hoffman (2023), arXiv 2303.17604. Not compared with the reference.
    """
    return with_option(model, TokenMerging(ratio))


@node("PatchModelAddDownscale", category=UNET, display_name="PatchModelAddDownscale (Kohya Deep Shrink)")
def deep_shrink(
    model: Model,
    block_number: Annotated[int, Field(ge=1, le=32), Widget(step=1)] = 3,
    downscale_factor: Annotated[float, Field(ge=0.1, le=9.0), Widget(step=0.001)] = 2.0,
    start_percent: Part = 0.0,
    end_percent: Part = 0.35,
    downscale_after_skip: bool = True,
    *,
    downscale_method: Resizing,
    upscale_method: Resizing,
) -> Model:
    """Shrink what the inner blocks of a network see at first, so that large pictures are composed like small ones.

    Not compared with the reference.
    """
    option = DeepShrink(
        block_number,
        downscale_factor,
        start_percent,
        end_percent,
        downscale_after_skip,
        downscale_method,
        upscale_method,
    )
    return with_option(model, option)


@node("HypernetworkLoader", category="loaders", resource="io")
def load_hypernetwork(
    ctx: Context,
    model: Model,
    hypernetwork_name: Annotated[str, Files(HYPERNETWORKS)],
    strength: Annotated[float, Field(ge=-10.0, le=10.0), Widget(step=0.01)] = 1.0,
) -> Model:
    """Let a hypernetwork change what a model attends to. Strength 0 changes nothing.

    Not compared with the reference.
    """
    file = FileRef(HYPERNETWORKS, ctx.fingerprint(HYPERNETWORKS, hypernetwork_name))
    ctx.use(service.pool).check_hypernetwork(file, model)
    return with_option(model, Hypernetwork(file, strength)) if strength else model


@node("DifferentialDiffusion", category="_for_testing", display_name="Differential Diffusion", experimental=True)
def differential_diffusion(model: Model, strength: Annotated[Fraction, OptionalInput()] = 1.0) -> Model:
    """Let a grey noise mask say when a place is painted: white from the first step, dark grey near the end.

    Levin and Fried (2023), arXiv 2306.00950. Not compared with the reference.
    """
    return with_option(model, SoftMask(strength))


@node("UNetSelfAttentionMultiply", category=ATTENTION, experimental=True)
def unet_self_attention_multiply(
    model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Multiply the weights of a network's self-attention. Not compared with the reference."""
    return _scaled(model, r"\.attn1\.", q, k, v, out)


@node("UNetCrossAttentionMultiply", category=ATTENTION, experimental=True)
def unet_cross_attention_multiply(
    model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Multiply the weights of a network's attention to the prompt. Not compared with the reference."""
    return _scaled(model, r"\.attn2\.", q, k, v, out)


@node("CLIPAttentionMultiply", category=ATTENTION, experimental=True)
def clip_attention_multiply(clip: Clip, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0) -> Clip:
    """Multiply the weights of a text encoder's attention. Not compared with the reference."""
    names = {"q_proj": q, "k_proj": k, "v_proj": v, "out_proj": out}
    factors = tuple((rf"self_attn\.{name}\.", factor) for name, factor in names.items())
    return replace(clip, patches=(*clip.patches, Scaled(factors)))


def _scaled(model: Model, attention: str, q: float, k: float, v: float, out: float) -> Model:
    names = {r"to_q\.": q, r"to_k\.": k, r"to_v\.": v, r"to_out\.0\.": out}
    patch: WeightPatch = Scaled(tuple((attention + name, factor) for name, factor in names.items()))
    return replace(model, patches=(*model.patches, patch))


def with_option(model: Model, option: Any) -> Model:
    """Return a model with one more option."""
    return replace(model, options=(*model.options, option))
