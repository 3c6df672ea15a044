"""Change how a model is guided."""

from typing import Annotated, NamedTuple

from engine.node import Field, Widget, node
from nodes.model_patches import UNET, with_option
from nodes.network_options import GuidanceChange, PerturbedAttention, SelfAttention
from nodes.recipes import Model


@node("PerturbedAttentionGuidance", category=UNET)
def perturbed_attention_guidance(
    model: Model, scale: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01, round=0.01)] = 3.0
) -> Model:
    """Keep away from what the network predicts when its middle does not attend. Each step costs one more call.

    Ahn et al. (2024), arXiv 2403.17377. Not compared with the reference.
    """
    return with_option(model, PerturbedAttention(scale))


@node("SelfAttentionGuidance", category="_for_testing", display_name="Self-Attention Guidance", experimental=True)
def self_attention_guidance(
    model: Model,
    scale: Annotated[float, Field(ge=-2.0, le=5.0), Widget(step=0.01)] = 0.5,
    blur_sigma: Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.1)] = 2.0,
) -> Model:
    """Keep away from what the network makes of a picture whose salient places are blurred. A step costs one more call.

    Hong et al. (2022), arXiv 2210.00939. Not compared with the reference.
    """
    return with_option(model, SelfAttention(scale, blur_sigma))


class Changed(NamedTuple):
    patched_model: Model


@node("APG", category="sampling/custom_sampling", display_name="Adaptive Projected Guidance")
def adaptive_projected_guidance(
    model: Model,
    eta: Annotated[
        float,
        Field(ge=-10.0, le=10.0),
        Widget(step=0.01, tooltip="How much of the step along the positive prediction is kept; 1 is usual guidance."),
    ] = 1.0,
    norm_threshold: Annotated[
        float, Field(ge=0.0, le=50.0), Widget(step=0.1, tooltip="The longest step of guidance; 0 is any length.")
    ] = 5.0,
    momentum: Annotated[
        float, Field(ge=-5.0, le=1.0), Widget(step=0.01, tooltip="How much of earlier steps goes into each; 0 is none.")
    ] = 0.0,
) -> Model:
    """Keep strong guidance from burning a picture out: leave out what only makes the prediction stronger.

    Sadat et al. (2024), arXiv 2410.02416. Not compared with the reference.
    """
    settings = {"eta": eta, "norm_threshold": norm_threshold, "momentum": momentum}
    return with_option(model, GuidanceChange("projected", settings))


@node("TCFG", category="advanced/guidance", display_name="Tangential Damping CFG")
def tangential_damping(model: Model) -> Changed:
    """Leave out what the negative prediction does not share with the main direction of both predictions.

    Kwon et al. (2025), arXiv 2503.18137. Not compared with the reference.
    """
    return Changed(with_option(model, GuidanceChange("tangential")))


@node("CFGZeroStar", category="advanced/guidance")
def cfg_zero_star(model: Model) -> Changed:
    """Scale the negative prediction to fit the positive one best before guidance.

    Fan et al. (2025), arXiv 2503.18886. Not compared with the reference.
    """
    return Changed(with_option(model, GuidanceChange("optimized")))


@node("CFGNorm", category="advanced/guidance", experimental=True)
def cfg_norm(model: Model, strength: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)] = 1.0) -> Changed:
    """Cut the result of guidance to the length that the positive prediction has at each place.

    Not compared with the reference.
    """
    return Changed(with_option(model, GuidanceChange("normed", {"strength": strength})))


@node("RenormCFG", category="advanced/model")
def renorm_cfg(
    model: Model,
    cfg_trunc: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)] = 100,
    renorm_cfg: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)] = 1.0,
) -> Model:
    """Guide only below a noise level, and let the result be at most so many times as long as the positive prediction.

    A length of 0 is any length.

    Lumina-Image 2.0 (Qin et al. 2025), arXiv 2503.21758. Not compared with the reference.
    """
    settings = {"first_sigma": cfg_trunc, "longest": renorm_cfg}
    return with_option(model, GuidanceChange("bounded", settings))


@node(
    "Mahiro",
    category="_for_testing",
    display_name="Mahiro is so cute that she deserves a better guidance function!! (。・ω・。)",
    experimental=True,
)
def mahiro(model: Model) -> Changed:
    """Follow the positive prompt alone the more, the less both predictions agree. Not compared with the reference."""
    return Changed(with_option(model, GuidanceChange("directed")))


@node("FreSca", category="_for_testing", experimental=True)
def fresca(
    model: Model,
    scale_low: Annotated[
        float, Field(ge=0, le=10), Widget(step=0.01, tooltip="Factor of what changes slowly over the picture.")
    ] = 1.0,
    scale_high: Annotated[
        float, Field(ge=0, le=10), Widget(step=0.01, tooltip="Factor of what changes quickly over the picture.")
    ] = 1.25,
    freq_cutoff: Annotated[
        int, Field(ge=1, le=10000), Widget(step=1, tooltip="How many frequencies around the lowest count as slow.")
    ] = 20,
) -> Model:
    """Guide coarse shapes and fine details by different strengths.

    Huang et al. (2025), arXiv 2504.02154. Not compared with the reference.
    """
    settings = {"low": scale_low, "high": scale_high, "cutoff": freq_cutoff}
    return with_option(model, GuidanceChange("frequencies", settings))


@node("Epsilon Scaling", category=UNET)
def epsilon_scaling(
    model: Model,
    scaling_factor: Annotated[float, Field(ge=0.5, le=1.5), Widget(step=0.001, display="number")] = 1.005,
) -> Model:
    """Take a little less noise out in each step, against the drift between training and sampling.

    Ning et al. (2023), arXiv 2308.15321. Not compared with the reference.
    """
    return with_option(model, GuidanceChange("scaled_noise", {"factor": scaling_factor}))


LowestCfg = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.5, round=0.01)]


@node("VideoLinearCFGGuidance", category="sampling/video_models")
def video_linear_guidance(model: Model, min_cfg: LowestCfg = 1.0) -> Model:
    """Let guidance rise along a batch, from the least for the first to the sampler's for the last.

    Not compared with the reference.
    """
    return with_option(model, GuidanceChange("rising", {"lowest": min_cfg}))


@node("VideoTriangleCFGGuidance", category="sampling/video_models")
def video_triangle_guidance(model: Model, min_cfg: LowestCfg = 1.0) -> Model:
    """Let guidance rise along a batch to the sampler's in the middle, and fall again.

    Not compared with the reference.
    """
    return with_option(model, GuidanceChange("triangular", {"lowest": min_cfg}))
