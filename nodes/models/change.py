"""What a LoRA file does to one weight: the seam between the layouts of such files and the weights."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

Read = Callable[[str], "Tensor"]
"""Gives a tensor of the file, float32, on the device of the weight."""


class Change(Protocol):
    """A change of one weight, made of some tensors of a file."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its tensors in the file."""
        ...

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape. Reads the header of the file only."""
        ...

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight (float32) at strength 1, of its shape, as a product and its factor."""
        ...
