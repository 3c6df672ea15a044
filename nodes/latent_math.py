"""Calculate with latents. The second latent takes size and batch of the first."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.node import Field, Widget, node
from engine.types import Tensor
from nodes.inputs import Fraction
from nodes.lazy import lazy
from nodes.recipes import Latent

if TYPE_CHECKING:
    import torch

    from nodes.pixels import resize
else:
    torch = lazy("torch")
    resize = lazy("nodes.pixels.resize")


@node("LatentAdd", category="latent/advanced")
def latent_add(samples1: Latent, samples2: Latent) -> Latent:
    """Add two latents number by number."""
    return _joined(samples1, samples2, lambda a, b: a + b)


@node("LatentSubtract", category="latent/advanced")
def latent_subtract(samples1: Latent, samples2: Latent) -> Latent:
    """Subtract the second latent from the first number by number."""
    return _joined(samples1, samples2, lambda a, b: a - b)


@node("LatentMultiply", category="latent/advanced")
def latent_multiply(
    samples: Latent, multiplier: Annotated[float, Field(ge=-10.0, le=10.0), Widget(step=0.01)] = 1.0
) -> Latent:
    """Multiply every number of a latent."""
    return replace(samples, samples=samples.samples * multiplier)


@node("LatentInterpolate", category="latent/advanced")
def latent_interpolate(samples1: Latent, samples2: Latent, ratio: Fraction = 1.0) -> Latent:
    """Mix two latents: 1 is the first, 0 the second.

    Directions and lengths of the vectors of channels are mixed apart, so the mix of two strong latents is strong.
    """

    def mixed(a: Tensor, b: Tensor) -> Tensor:
        length = _length(a) * ratio + _length(b) * (1 - ratio)
        return _direction(_direction(a) * ratio + _direction(b) * (1 - ratio)) * length

    return _joined(samples1, samples2, mixed)


@node("LatentBatchSeedBehavior", category="latent/advanced")
def latent_batch_seed_behavior(samples: Latent, seed_behavior: Literal["random", "fixed"] = "fixed") -> Latent:
    """Say whether the latents of a batch get noise of their own, or all of them that of the first."""
    if seed_behavior == "random":
        return replace(samples, batch_index=None)
    first = samples.batch_index[0] if samples.batch_index else 0
    return replace(samples, batch_index=(first,) * len(samples.samples))


def _joined(one: Latent, other: Latent, operation: Callable[[Tensor, Tensor], Tensor]) -> Latent:
    a = one.samples
    return replace(one, samples=operation(a, resize.cycled(resize.fitted(other.samples, a), len(a))))


def _length(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=1, keepdim=True)


def _direction(x: Tensor) -> Tensor:
    """Return vectors of channels of length 1, or 0 where there is no direction."""
    return (x / _length(x)).nan_to_num()
