"""Operations on latents, as values: applied to a latent at once, or to the guidance of a model in every step."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine.node import Field, Widget, node
from nodes.lazy import lazy
from nodes.model_patches import with_option
from nodes.recipes import Latent, LatentOperation, Model

if TYPE_CHECKING:
    from nodes.pixels import operations
else:
    operations = lazy("nodes.pixels.operations")

CATEGORY = "latent/advanced/operations"


@node("LatentApplyOperation", category=CATEGORY, experimental=True)
def latent_apply_operation(samples: Latent, operation: LatentOperation) -> Latent:
    """Apply an operation to a latent. Not compared with the reference."""
    return replace(samples, samples=operations.operation(operation.name, operation.settings)(samples.samples))


@node("LatentApplyOperationCFG", category=CATEGORY, experimental=True)
def latent_apply_operation_cfg(model: Model, operation: LatentOperation) -> Model:
    """Apply an operation to the difference between both sides of guidance, in every step.

    Not compared with the reference.
    """
    return with_option(model, operation)


@node("LatentOperationTonemapReinhard", category=CATEGORY, experimental=True)
def latent_operation_tonemap_reinhard(
    multiplier: Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01)] = 1.0,
) -> LatentOperation:
    """Shorten long vectors of channels more than short ones; the larger the multiplier, the less.

    Reinhard et al. (2002), Photographic tone reproduction for digital images. Not compared with the reference.
    """
    return LatentOperation("tonemap", {"multiplier": multiplier})


@node("LatentOperationSharpen", category=CATEGORY, experimental=True)
def latent_operation_sharpen(
    sharpen_radius: Annotated[int, Field(ge=1, le=31), Widget(step=1)] = 9,
    sigma: Annotated[float, Field(ge=0.1, le=10.0), Widget(step=0.1)] = 1.0,
    alpha: Annotated[float, Field(ge=0.0, le=5.0), Widget(step=0.01)] = 0.1,
) -> LatentOperation:
    """Add the difference to a blurred latent, ten times at alpha 1. Not compared with the reference."""
    return LatentOperation("sharpen", {"radius": sharpen_radius, "sigma": sigma, "alpha": alpha})
