"""Skip steps in which a prediction should not change much."""

from typing import Annotated

from engine.node import Field, Widget, node
from nodes.model_patches import with_option
from nodes.network_options import StepCaching
from nodes.recipes import Model

Threshold = Annotated[
    float,
    Field(ge=0.0, le=3.0),
    Widget(step=0.01, tooltip="How much of itself a prediction may change by before it is made anew."),
]
Start = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.01, tooltip="Steps before this are never skipped.")]
End = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.01, tooltip="Steps after this are never skipped.")]
Verbose = Annotated[bool, Widget(tooltip="Say in the log what becomes of each step.")]

CATEGORY = "advanced/debug/model"


@node("EasyCache", category=CATEGORY, experimental=True)
def easy_cache(
    model: Annotated[Model, Widget(tooltip="The model whose steps are skipped.")],
    reuse_threshold: Threshold = 0.2,
    start_percent: Start = 0.15,
    end_percent: End = 0.95,
    verbose: Verbose = False,
) -> Model:
    """Skip the network in steps in which its prediction should not change much. The picture changes, too.

    Zhou et al. (2025), arXiv 2507.02860. Not compared with the reference.
    """
    return with_option(model, StepCaching(reuse_threshold, start_percent, end_percent, False, verbose))


@node("LazyCache", category=CATEGORY, experimental=True)
def lazy_cache(
    model: Annotated[Model, Widget(tooltip="The model whose steps are skipped.")],
    reuse_threshold: Threshold = 0.2,
    start_percent: Start = 0.15,
    end_percent: End = 0.95,
    verbose: Verbose = False,
) -> Model:
    """Skip steps in which what guidance makes of predictions should not change much. The picture changes, too.

    As EasyCache, with the clean picture that guidance predicts in place of what the network predicts. Not compared with
    the reference.
    """
    return with_option(model, StepCaching(reuse_threshold, start_percent, end_percent, True, verbose))
