"""Mix the weights of two transformers block by block."""

from typing import TypedDict, Unpack

from engine.context import Context
from engine.node import node
from nodes.merge import SPECIFIC, Ratio, by_block, merged
from nodes.recipes import Model

FluxBlocks = TypedDict("FluxBlocks", {
    "img_in.": Ratio, "time_in.": Ratio, "guidance_in": Ratio, "vector_in.": Ratio, "txt_in.": Ratio,
    "double_blocks.0.": Ratio, "double_blocks.1.": Ratio, "double_blocks.2.": Ratio, "double_blocks.3.": Ratio,
    "double_blocks.4.": Ratio, "double_blocks.5.": Ratio, "double_blocks.6.": Ratio, "double_blocks.7.": Ratio,
    "double_blocks.8.": Ratio, "double_blocks.9.": Ratio, "double_blocks.10.": Ratio, "double_blocks.11.": Ratio,
    "double_blocks.12.": Ratio, "double_blocks.13.": Ratio, "double_blocks.14.": Ratio, "double_blocks.15.": Ratio,
    "double_blocks.16.": Ratio, "double_blocks.17.": Ratio, "double_blocks.18.": Ratio, "single_blocks.0.": Ratio,
    "single_blocks.1.": Ratio, "single_blocks.2.": Ratio, "single_blocks.3.": Ratio, "single_blocks.4.": Ratio,
    "single_blocks.5.": Ratio, "single_blocks.6.": Ratio, "single_blocks.7.": Ratio, "single_blocks.8.": Ratio,
    "single_blocks.9.": Ratio, "single_blocks.10.": Ratio, "single_blocks.11.": Ratio, "single_blocks.12.": Ratio,
    "single_blocks.13.": Ratio, "single_blocks.14.": Ratio, "single_blocks.15.": Ratio, "single_blocks.16.": Ratio,
    "single_blocks.17.": Ratio, "single_blocks.18.": Ratio, "single_blocks.19.": Ratio, "single_blocks.20.": Ratio,
    "single_blocks.21.": Ratio, "single_blocks.22.": Ratio, "single_blocks.23.": Ratio, "single_blocks.24.": Ratio,
    "single_blocks.25.": Ratio, "single_blocks.26.": Ratio, "single_blocks.27.": Ratio, "single_blocks.28.": Ratio,
    "single_blocks.29.": Ratio, "single_blocks.30.": Ratio, "single_blocks.31.": Ratio, "single_blocks.32.": Ratio,
    "single_blocks.33.": Ratio, "single_blocks.34.": Ratio, "single_blocks.35.": Ratio, "single_blocks.36.": Ratio,
    "single_blocks.37.": Ratio, "final_layer.": Ratio,
})  # fmt: skip
"""The blocks of Flux.1, by how the names of their weights begin in the original layout."""

MediumBlocks = TypedDict("MediumBlocks", {
    "pos_embed.": Ratio, "x_embedder.": Ratio, "context_embedder.": Ratio, "y_embedder.": Ratio, "t_embedder.": Ratio,
    "joint_blocks.0.": Ratio, "joint_blocks.1.": Ratio, "joint_blocks.2.": Ratio, "joint_blocks.3.": Ratio,
    "joint_blocks.4.": Ratio, "joint_blocks.5.": Ratio, "joint_blocks.6.": Ratio, "joint_blocks.7.": Ratio,
    "joint_blocks.8.": Ratio, "joint_blocks.9.": Ratio, "joint_blocks.10.": Ratio, "joint_blocks.11.": Ratio,
    "joint_blocks.12.": Ratio, "joint_blocks.13.": Ratio, "joint_blocks.14.": Ratio, "joint_blocks.15.": Ratio,
    "joint_blocks.16.": Ratio, "joint_blocks.17.": Ratio, "joint_blocks.18.": Ratio, "joint_blocks.19.": Ratio,
    "joint_blocks.20.": Ratio, "joint_blocks.21.": Ratio, "joint_blocks.22.": Ratio, "joint_blocks.23.": Ratio,
    "final_layer.": Ratio,
})  # fmt: skip
"""The blocks of Stable Diffusion 3 medium."""

LargeBlocks = TypedDict("LargeBlocks", {
    "pos_embed.": Ratio, "x_embedder.": Ratio, "context_embedder.": Ratio, "y_embedder.": Ratio, "t_embedder.": Ratio,
    "joint_blocks.0.": Ratio, "joint_blocks.1.": Ratio, "joint_blocks.2.": Ratio, "joint_blocks.3.": Ratio,
    "joint_blocks.4.": Ratio, "joint_blocks.5.": Ratio, "joint_blocks.6.": Ratio, "joint_blocks.7.": Ratio,
    "joint_blocks.8.": Ratio, "joint_blocks.9.": Ratio, "joint_blocks.10.": Ratio, "joint_blocks.11.": Ratio,
    "joint_blocks.12.": Ratio, "joint_blocks.13.": Ratio, "joint_blocks.14.": Ratio, "joint_blocks.15.": Ratio,
    "joint_blocks.16.": Ratio, "joint_blocks.17.": Ratio, "joint_blocks.18.": Ratio, "joint_blocks.19.": Ratio,
    "joint_blocks.20.": Ratio, "joint_blocks.21.": Ratio, "joint_blocks.22.": Ratio, "joint_blocks.23.": Ratio,
    "joint_blocks.24.": Ratio, "joint_blocks.25.": Ratio, "joint_blocks.26.": Ratio, "joint_blocks.27.": Ratio,
    "joint_blocks.28.": Ratio, "joint_blocks.29.": Ratio, "joint_blocks.30.": Ratio, "joint_blocks.31.": Ratio,
    "joint_blocks.32.": Ratio, "joint_blocks.33.": Ratio, "joint_blocks.34.": Ratio, "joint_blocks.35.": Ratio,
    "joint_blocks.36.": Ratio, "joint_blocks.37.": Ratio, "final_layer.": Ratio,
})  # fmt: skip
"""The blocks of Stable Diffusion 3.5 large."""


@node("ModelMergeFlux1", category=SPECIFIC, resource="io")
def model_merge_flux1(ctx: Context, model1: Model, model2: Model, **blocks: Unpack[FluxBlocks]) -> Model:
    """Mix the weights of two models, with a ratio for each block: 1 is the first model, 0 the second.

    Not compared with the reference.
    """
    return merged(ctx, model1, model2, *by_block(blocks))


@node("ModelMergeSD3_2B", category=SPECIFIC, resource="io")
def model_merge_sd3_2b(ctx: Context, model1: Model, model2: Model, **blocks: Unpack[MediumBlocks]) -> Model:
    """Mix the weights of two models, with a ratio for each block: 1 is the first model, 0 the second.

    The table of places stays as it is in the first model. Not compared with the reference.
    """
    return merged(ctx, model1, model2, *by_block(blocks))


@node("ModelMergeSD35_Large", category=SPECIFIC, resource="io")
def model_merge_sd35_large(ctx: Context, model1: Model, model2: Model, **blocks: Unpack[LargeBlocks]) -> Model:
    """Mix the weights of two models, with a ratio for each block: 1 is the first model, 0 the second.

    The table of places stays as it is in the first model. Not compared with the reference.
    """
    return merged(ctx, model1, model2, *by_block(blocks))
