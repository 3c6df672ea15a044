"""Flip, turn and cut latents."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.node import Field, Widget, node
from nodes.inputs import CELL, MAX_SIDE, Place
from nodes.lazy import lazy
from nodes.recipes import Latent

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

CroppedSide = Annotated[int, Field(ge=64, le=MAX_SIDE), Widget(step=8)]
SMALLEST = 8
"""The fewest cells that lie right of and below the corner of a crop, where the latent has them."""


@node("LatentFlip", category="latent/transform", display_name="Flip Latent")
def latent_flip(samples: Latent, *, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"]) -> Latent:
    """Mirror a latent; its noise mask stays as it is."""
    axis = -2 if flip_method.startswith("x") else -1
    return replace(samples, samples=samples.samples.flip(axis))


@node("LatentRotate", category="latent/transform", display_name="Rotate Latent")
def latent_rotate(samples: Latent, *, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"]) -> Latent:
    """Turn a latent clockwise; its noise mask stays as it is."""
    turns = ("none", "90 degrees", "180 degrees", "270 degrees").index(rotation)
    return replace(samples, samples=torch.rot90(samples.samples, turns, (-1, -2)))


@node("LatentCrop", category="latent/transform", display_name="Crop Latent")
def latent_crop(
    samples: Latent, width: CroppedSide = 512, height: CroppedSide = 512, x: Place = 0, y: Place = 0
) -> Latent:
    """Cut a rectangle, given in pixels, out of a latent.

    A corner that is less than 64 pixels from the end moves back.
    """
    rows, columns = samples.samples.shape[-2:]
    left = min(x // CELL, max(0, columns - SMALLEST))
    top = min(y // CELL, max(0, rows - SMALLEST))
    cut = samples.samples[..., top : top + height // CELL, left : left + width // CELL]
    return replace(samples, samples=cut.clone())
