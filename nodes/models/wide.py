"""Matrices that are kept in fewer bits than a network computes in, and are widened when they are used.

Only one at a time is wide, so a network of 12 billion numbers works in float32 beside its 8-bit weights. A matrix may
have one factor beside it, ``scale_weight``, by which its numbers are multiplied: "scaled" 8-bit files.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

SCALE = "scale_weight"


class WideLinear(nn.Linear):
    """A linear layer that computes in the dtype of what it gets."""

    scale_weight: Tensor | None

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight.to(input.dtype)
        if self.scale_weight is not None:
            weight = weight * self.scale_weight.to(input.dtype)
        return linear(input, weight, None if self.bias is None else self.bias.to(input.dtype))


class WideEmbedding(nn.Embedding):
    """A table that gives float32."""

    scale_weight: Tensor | None

    def forward(self, input: Tensor) -> Tensor:
        bits = torch.int8 if self.weight.itemsize == 1 else self.weight.dtype  # nothing looks up 8-bit floats
        rows = self.weight.view(bits)[input].view(self.weight.dtype).float()
        return rows if self.scale_weight is None else rows * self.scale_weight


WIDE: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: WideLinear, nn.Embedding: WideEmbedding}


def widen(module: nn.Module, scaled: frozenset[str] = frozenset()) -> None:
    """Let the matrices of a module be kept narrow. Those named in ``scaled`` (as modules) have a factor."""
    for name, child in module.named_modules():
        if type(child) in WIDE:
            child.__class__ = WIDE[type(child)]
            child.register_buffer(SCALE, torch.ones(()) if name in scaled else None)
