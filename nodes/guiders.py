"""What a sampler starts from and is steered by: noise and guidance."""

from typing import Annotated, Literal

from engine.node import Field, Widget, node
from nodes.inputs import Cfg, Seed
from nodes.recipes import Conditioning, Guider, Model, NoiseSource, classifier_free


@node("RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(noise_seed: Seed = 0) -> NoiseSource:
    """Draw noise from a seed."""
    return NoiseSource(noise_seed)


@node("DisableNoise", category="sampling/custom_sampling/noise")
def disable_noise() -> NoiseSource:
    """Put no noise on a latent before it is sampled. Samplers that draw noise on their way still do, from seed 0."""
    return NoiseSource(0, starts=False)


@node("BasicGuider", category="sampling/custom_sampling/guiders")
def basic_guider(model: Model, conditioning: Conditioning) -> Guider:
    """Follow one prompt, without guidance."""
    return Guider(model, (conditioning,), settings={"scale": 1.0})


@node("CFGGuider", category="sampling/custom_sampling/guiders")
def cfg_guider(model: Model, positive: Conditioning, negative: Conditioning, cfg: Cfg = 8.0) -> Guider:
    """Follow one prompt and keep away from another."""
    return classifier_free(model, positive, negative, cfg)


@node("DualCFGGuider", category="sampling/custom_sampling/guiders")
def dual_cfg_guider(
    model: Model,
    cond1: Conditioning,
    cond2: Conditioning,
    negative: Conditioning,
    cfg_conds: Cfg = 8.0,
    cfg_cond2_negative: Cfg = 8.0,
    *,
    style: Literal["regular", "nested"],
) -> Guider:
    """Follow two prompts, the first away from the second and the second away from the negative one."""
    settings = {"scale": cfg_conds, "scale_middle": cfg_cond2_negative, "nested": style == "nested"}
    return Guider(model, (cond1, negative, cond2), "dual", settings)


@node("PerpNegGuider", category="_for_testing", experimental=True)
def perp_neg_guider(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty_conditioning: Conditioning,
    cfg: Cfg = 8.0,
    neg_scale: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)] = 1.0,
) -> Guider:
    """Follow one prompt, and keep away from what another has that is not in the first."""
    settings = {"scale": cfg, "negative_scale": neg_scale}
    return Guider(model, (positive, negative, empty_conditioning), "perpendicular", settings)
