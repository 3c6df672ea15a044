"""DoRA: a change of the direction of a weight beside one of its magnitude. Liu et al. (2024), arXiv 2402.09353.

Not compared with the reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from nodes.models.change import Change, Read
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Decomposed:
    """m * (W + D) / |W + D|, where D is another change at strength 1. Other strengths lie on the line through W.

    ``magnitude`` is the name of m, with a number for each output, (outputs, 1, ...), as in the paper, in PEFT and in
    LyCORIS since 3.2, or for each input, (1, inputs, 1, ...), as in LyCORIS before and still with ``wd_on_output``
    false: its shape tells which. PEFT's, also (1, outputs, 1, 1), ``is_of_outputs``. Each norm is that of all numbers
    of W + D that belong to one of m; where it is 0, W + D stays 0. A weight has at least two dimensions.
    """

    change: Change
    magnitude: str
    is_of_outputs: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.change.names, self.magnitude)

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        has_axes = len(weight) >= 2 and self._axis(file.shape(self.magnitude), weight) is not None
        return has_axes and self.change.fits(file, weight)

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, and 1."""
        import torch

        product, factor = self.change.added(read, weight)
        adapted, magnitude = weight + product * factor, read(self.magnitude)
        axis = self._axis(magnitude.shape, weight.shape)
        others = [each for each in range(weight.ndim) if each != axis]
        norm = torch.linalg.vector_norm(adapted, dim=others, keepdim=True)
        scale = magnitude.reshape(norm.shape) / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        return adapted * scale - weight, 1.0

    def _axis(self, magnitude: tuple[int, ...], weight: Sequence[int]) -> int | None:
        """Return the dimension of the weight that a magnitude has a number for; None where it has none."""
        if prod(magnitude) == weight[0] and (self.is_of_outputs or magnitude[:1] == tuple(weight[:1])):
            return 0
        is_of_inputs = magnitude[:2] == (1, *weight[1:2]) and prod(magnitude) == weight[1]
        return 1 if is_of_inputs and not self.is_of_outputs else None
