"""Choose a sampler that enlarges what it samples."""

from typing import Annotated, Literal

from engine.node import Field, Widget, node
from nodes.recipes import Sampler
from nodes.samplers import CATEGORY


@node("SamplerLCMUpscale", category=CATEGORY)
def sampler_lcm_upscale(
    scale_ratio: Annotated[float, Field(ge=0.1, le=20.0), Widget(step=0.01)] = 1.0,
    scale_steps: Annotated[int, Field(ge=-1, le=1000), Widget(step=1)] = -1,
    *,
    upscale_method: Literal["bislerp", "nearest-exact", "bilinear", "area", "bicubic"],
) -> Sampler:
    """Consistency sampling of a latent that grows, in equal parts over the first steps; -1 is half of them.

    Areas of prompts stay where they are in the latent. Not compared with the reference.
    """
    settings = {"scale_ratio": scale_ratio, "scale_steps": scale_steps, "upscale_method": upscale_method}
    return Sampler("lcm_upscale", settings)
