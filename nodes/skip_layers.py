"""Guide a transformer away from what it predicts without some of its blocks. Not compared with the reference."""

import re
from typing import Annotated

from engine.node import Field, Widget, node
from nodes.model_patches import with_option
from nodes.network_options import SkippedBlocks
from nodes.recipes import Model

CATEGORY = "advanced/guidance"

Blocks = Annotated[str, Widget(multiline=False)]
Scale = Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.1)]
Percent = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.001)]


@node("SkipLayerGuidanceSD3", category=CATEGORY, experimental=True)
def skip_layer_guidance_sd3(
    model: Model,
    layers: Blocks = "7, 8, 9",
    scale: Scale = 3.0,
    start_percent: Percent = 0.01,
    end_percent: Percent = 0.15,
) -> Model:
    """Keep away from what SD3 predicts without some of its blocks, over a part of the sampling.

    Stability AI (2024), in sd3.5. Each step there costs one more call.
    """
    return _skipping(model, SkippedBlocks(_numbers(layers), (), scale, start_percent, end_percent))


@node("SkipLayerGuidanceDiT", category=CATEGORY, experimental=True)
def skip_layer_guidance_dit(
    model: Model,
    double_layers: Blocks = "7, 8, 9",
    single_layers: Blocks = "7, 8, 9",
    scale: Scale = 3.0,
    start_percent: Percent = 0.01,
    end_percent: Percent = 0.15,
    rescaling_scale: Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01)] = 0.0,
) -> Model:
    """Keep away from what a transformer predicts without some of its double and single blocks.

    ``rescaling_scale`` pulls the spread of the result back to that of the positive prediction.
    """
    blocks = _numbers(double_layers), _numbers(single_layers)
    return _skipping(model, SkippedBlocks(*blocks, scale, start_percent, end_percent, rescaling_scale))


@node("SkipLayerGuidanceDiTSimple", category=CATEGORY, experimental=True)
def skip_layer_guidance_dit_simple(
    model: Model,
    double_layers: Blocks = "7, 8, 9",
    single_layers: Blocks = "7, 8, 9",
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
) -> Model:
    """Leave some blocks of a transformer out where it predicts for the negative prompt. It costs no more calls."""
    blocks = _numbers(double_layers), _numbers(single_layers)
    return _skipping(model, SkippedBlocks(*blocks, None, start_percent, end_percent))


def _numbers(written: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", written))


def _skipping(model: Model, option: SkippedBlocks) -> Model:
    return with_option(model, option) if option.double or option.single else model
