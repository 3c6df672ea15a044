"""Merge models and text encoders. What these nodes give are recipes: weights are mixed when a network is built."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypedDict, TypeVar, Unpack, cast

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.inputs import Fraction
from nodes.lazy import lazy
from nodes.recipes import Clip, Merge, Model

if TYPE_CHECKING:
    from nodes.models import service
else:
    service = lazy("nodes.models.service")

Recipe = TypeVar("Recipe", Model, Clip)
Multiplier = Annotated[float, Field(ge=-10.0, le=10.0), Widget(step=0.01)]

CATEGORY = "advanced/model_merging"


@node("ModelMergeSimple", category=CATEGORY, resource="io")
def model_merge_simple(ctx: Context, model1: Model, model2: Model, ratio: Fraction = 1.0) -> Model:
    """Mix the weights of two models: 1 is the first, 0 the second. Not compared with the reference."""
    return merged(ctx, model1, model2, ("", ratio, 1 - ratio))


@node("ModelMergeBlocks", category=CATEGORY, resource="io")
def model_merge_blocks(
    ctx: Context,
    model1: Model,
    model2: Model,
    input: Fraction = 1.0,
    middle: Fraction = 1.0,
    out: Fraction = 1.0,
) -> Model:
    """Mix the weights of two models, with a ratio for each third of the network: 1 is the first model, 0 the second.

    What lies before the blocks counts to the input. Not compared with the reference.
    """
    ratios = {"": input, "middle": middle, "out": out}
    return merged(ctx, model1, model2, *((name, ratio, 1 - ratio) for name, ratio in ratios.items()))


@node("ModelMergeAdd", category=CATEGORY, resource="io")
def model_merge_add(ctx: Context, model1: Model, model2: Model) -> Model:
    """Add the weights of one model to those of another: the difference of two others, usually.

    Not compared with the reference.
    """
    return merged(ctx, model1, model2, ("", 1.0, 1.0))


@node("ModelMergeSubtract", category=CATEGORY, resource="io")
def model_merge_subtract(ctx: Context, model1: Model, model2: Model, multiplier: Multiplier = 1.0) -> Model:
    """Take the weights of one model from those of another, and multiply the difference.

    Not compared with the reference.
    """
    return merged(ctx, model1, model2, ("", multiplier, -multiplier))


@node("CLIPMergeSimple", category=CATEGORY, resource="io")
def clip_merge_simple(ctx: Context, clip1: Clip, clip2: Clip, ratio: Fraction = 1.0) -> Clip:
    """Mix the weights of two text encoders: 1 is the first, 0 the second. Not compared with the reference."""
    return merged(ctx, clip1, clip2, ("", ratio, 1 - ratio))


@node("CLIPMergeAdd", category=CATEGORY, resource="io")
def clip_merge_add(ctx: Context, clip1: Clip, clip2: Clip) -> Clip:
    """Add the weights of one text encoder to those of another. Not compared with the reference."""
    return merged(ctx, clip1, clip2, ("", 1.0, 1.0))


@node("CLIPMergeSubtract", category=CATEGORY, resource="io")
def clip_merge_subtract(ctx: Context, clip1: Clip, clip2: Clip, multiplier: Multiplier = 1.0) -> Clip:
    """Take the weights of one text encoder from those of another, and multiply the difference.

    Not compared with the reference.
    """
    return merged(ctx, clip1, clip2, ("", multiplier, -multiplier))


Ratio = Annotated[float, Field(1.0, ge=0.0, le=1.0), Widget(step=0.01)]

UnetBlocks = TypedDict("UnetBlocks", {
    "time_embed.": Ratio, "label_emb.": Ratio,
    "input_blocks.0.": Ratio, "input_blocks.1.": Ratio, "input_blocks.2.": Ratio, "input_blocks.3.": Ratio,
    "input_blocks.4.": Ratio, "input_blocks.5.": Ratio, "input_blocks.6.": Ratio, "input_blocks.7.": Ratio,
    "input_blocks.8.": Ratio, "input_blocks.9.": Ratio, "input_blocks.10.": Ratio, "input_blocks.11.": Ratio,
    "middle_block.0.": Ratio, "middle_block.1.": Ratio, "middle_block.2.": Ratio,
    "output_blocks.0.": Ratio, "output_blocks.1.": Ratio, "output_blocks.2.": Ratio, "output_blocks.3.": Ratio,
    "output_blocks.4.": Ratio, "output_blocks.5.": Ratio, "output_blocks.6.": Ratio, "output_blocks.7.": Ratio,
    "output_blocks.8.": Ratio, "output_blocks.9.": Ratio, "output_blocks.10.": Ratio, "output_blocks.11.": Ratio,
    "out.": Ratio,
})  # fmt: skip
"""The blocks of Stable Diffusion 1 and 2, by how the names of their weights begin in the original layout."""

XlBlocks = TypedDict("XlBlocks", {
    "time_embed.": Ratio, "label_emb.": Ratio,
    "input_blocks.0": Ratio, "input_blocks.1": Ratio, "input_blocks.2": Ratio, "input_blocks.3": Ratio,
    "input_blocks.4": Ratio, "input_blocks.5": Ratio, "input_blocks.6": Ratio, "input_blocks.7": Ratio,
    "input_blocks.8": Ratio, "middle_block.0": Ratio, "middle_block.1": Ratio, "middle_block.2": Ratio,
    "output_blocks.0": Ratio, "output_blocks.1": Ratio, "output_blocks.2": Ratio, "output_blocks.3": Ratio,
    "output_blocks.4": Ratio, "output_blocks.5": Ratio, "output_blocks.6": Ratio, "output_blocks.7": Ratio,
    "output_blocks.8": Ratio, "out.": Ratio,
})  # fmt: skip
"""The blocks of SDXL."""

SPECIFIC = f"{CATEGORY}/model_specific"


@node("ModelMergeSD1", category=SPECIFIC, resource="io")
def model_merge_sd1(ctx: Context, model1: Model, model2: Model, **blocks: Unpack[UnetBlocks]) -> Model:
    """Mix the weights of two models, with a ratio for each block: 1 is the first model, 0 the second.

    Not compared with the reference.
    """
    return merged(ctx, model1, model2, *by_block(blocks))


@node("ModelMergeSD2", category=SPECIFIC, resource="io")
def model_merge_sd2(ctx: Context, model1: Model, model2: Model, **blocks: Unpack[UnetBlocks]) -> Model:
    """Mix the weights of two models, with a ratio for each block: 1 is the first model, 0 the second.

    Not compared with the reference.
    """
    return merged(ctx, model1, model2, *by_block(blocks))


@node("ModelMergeSDXL", category=SPECIFIC, resource="io")
def model_merge_sdxl(ctx: Context, model1: Model, model2: Model, **blocks: Unpack[XlBlocks]) -> Model:
    """Mix the weights of two models, with a ratio for each block: 1 is the first model, 0 the second.

    Not compared with the reference.
    """
    return merged(ctx, model1, model2, *by_block(blocks))


def by_block(blocks: Mapping[str, object]) -> list[tuple[str, float, float]]:
    """Return shares by block; what lies in none of them stays as it is in the first model."""
    ratios = cast(Mapping[str, float], blocks)
    return [("", 1.0, 0.0), *((name, ratio, 1 - ratio) for name, ratio in ratios.items())]


def merged(ctx: Context, first: Recipe, second: Recipe, *shares: tuple[str, float, float]) -> Recipe:
    """Return the first recipe with the second one mixed in.

    Raises:
        ModelError: they are not of the same family.
    """
    plain = replace(second, options=()) if isinstance(second, Model) else replace(second, layer=None, options=())
    merge = Merge(plain, shares)
    for name in ctx.use(service.pool).kept_apart(first, merge):
        ctx.warn(f"{name} has another shape in the second model, so it stays as it is in the first.")
    return replace(first, patches=(*first.patches, merge))
