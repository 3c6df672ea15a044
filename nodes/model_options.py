"""Change how a model is used without changing its weights."""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.errors import InputError
from engine.node import Field, Widget, node
from nodes.inputs import MAX_SIDE, Fraction
from nodes.lazy import lazy
from nodes.model_patches import with_option
from nodes.recipes import (
    Compiled,
    Conditioning,
    ContinuousSampling,
    DiscreteSampling,
    FlowSampling,
    Model,
    PerpendicularGuidance,
    RescaledGuidance,
)

if TYPE_CHECKING:
    from nodes.models import compiled
else:
    compiled = lazy("nodes.models.compiled")

Level = Annotated[float, Field(ge=0.0, le=1000.0), Widget(step=0.001, round=False)]


@node("ModelSamplingDiscrete", category="advanced/model")
def model_sampling_discrete(
    model: Model, *, sampling: Literal["eps", "v_prediction", "lcm", "x0", "img_to_img"], zsnr: bool = False
) -> Model:
    """Say what a model predicts, if its file does not; with zsnr its noisiest level holds no picture at all."""
    return with_option(model, DiscreteSampling(sampling, zsnr))


@node("ModelSamplingContinuousEDM", category="advanced/model")
def model_sampling_continuous_edm(
    model: Model,
    *,
    sampling: Literal["v_prediction", "edm", "edm_playground_v2.5", "eps", "cosmos_rflow"],
    sigma_max: Level = 120.0,
    sigma_min: Level = 0.002,
) -> Model:
    """Say what a model predicts that was trained on all noise levels between two."""
    if sampling == "edm_playground_v2.5" or sampling == "cosmos_rflow":
        raise InputError(
            "This kind of model is not supported yet.",
            input="sampling",
            got=sampling,
            expected="v_prediction, edm or eps",
        )
    _check_levels(sigma_min, sigma_max)
    return with_option(model, ContinuousSampling(sampling, sigma_max, sigma_min))


@node("ModelSamplingContinuousV", category="advanced/model")
def model_sampling_continuous_v(
    model: Model, *, sampling: Literal["v_prediction"], sigma_max: Level = 500.0, sigma_min: Level = 0.03
) -> Model:
    """Say that a model predicts velocity and is told the angle between signal and noise, on levels between two.

    Not compared with the reference.
    """
    _check_levels(sigma_min, sigma_max)
    return with_option(model, ContinuousSampling(sampling, sigma_max, sigma_min, clock="angle"))


def _check_levels(sigma_min: float, sigma_max: float) -> None:
    if not 0 < sigma_min < sigma_max:
        raise InputError(
            "There are no noise levels between these two.",
            input="sigma_min",
            got=f"{sigma_min} to {sigma_max}",
            expected="0 < sigma_min < sigma_max",
        )


Shift = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)]
FluxSide = Annotated[int, Field(ge=16, le=MAX_SIDE), Widget(step=8)]

FEWEST, MOST = 256, 4096
"""Tokens of the pictures for which the base and the largest shift of Flux are given: of 256 and 1024 pixels a side."""

TOKEN_PIXELS = 16 * 16
"""Pixels that a token of Flux stands for."""


@node("ModelSamplingSD3", category="advanced/model")
def model_sampling_sd3(model: Model, shift: Shift = 3.0) -> Model:
    """Say how far the noise levels of a rectified flow are pushed towards noise. Not compared with the reference."""
    return _shifted(model, shift)


@node("ModelSamplingAuraFlow", category="advanced/model")
def model_sampling_aura_flow(model: Model, shift: Shift = 1.73) -> Model:
    """Say how far the noise levels of a rectified flow are pushed towards noise. Not compared with the reference."""
    return _shifted(model, shift)


def _shifted(model: Model, shift: float) -> Model:
    if not shift:
        raise InputError("There are no noise levels with a shift of 0.", input="shift", got=shift, expected="above 0")
    return with_option(model, FlowSampling(shift))


@node("ModelSamplingFlux", category="advanced/model")
def model_sampling_flux(
    model: Model, max_shift: Shift = 1.15, base_shift: Shift = 0.5, width: FluxSide = 1024, height: FluxSide = 1024
) -> Model:
    """Push the noise levels of Flux towards noise as far as the size of the picture asks for.

    The logarithm of the shift lies on the line through ``base_shift`` for 256 x 256 pixels and ``max_shift`` for
    1024 x 1024. Not compared with the reference.
    """
    slope = (max_shift - base_shift) / (MOST - FEWEST)
    mu = base_shift + slope * (width * height / TOKEN_PIXELS - FEWEST)
    return with_option(model, FlowSampling(math.exp(mu), steps=10_000))


@node("RescaleCFG", category="advanced/model")
def rescale_cfg(model: Model, multiplier: Fraction = 0.7) -> Model:
    """Keep strong guidance from burning a picture out: pull its contrast back to that of the positive prompt."""
    return with_option(model, RescaledGuidance(multiplier))


@node("TorchCompileModel", category="_for_testing", experimental=True)
def torch_compile_model(ctx: Context, model: Model, *, backend: Literal["inductor", "cudagraphs"]) -> Model:
    """Have torch compile a model's network: slow at the first step of each size of picture, faster from then on."""
    compiled.check()
    if backend == "cudagraphs" and not ctx.settings.device.startswith("cuda"):
        raise InputError("CUDA graphs need a GPU.", input="backend", got=backend, expected="inductor, or --device cuda")
    return with_option(model, Compiled(backend))


@node(
    "PerpNeg",
    category="_for_testing",
    display_name="Perp-Neg (DEPRECATED by PerpNegGuider)",
    deprecated=True,
    experimental=True,
)
def perp_neg(
    model: Model,
    empty_conditioning: Conditioning,
    neg_scale: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)] = 1.0,
) -> Model:
    """Let guidance keep away from what the negative prompt does not share with the positive one."""
    return with_option(model, PerpendicularGuidance(empty_conditioning, neg_scale))
