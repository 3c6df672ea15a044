"""GLoRA: a change made of the weight itself, beside LoRA's. Chavan et al. (2023), arXiv 2306.07967.

Not compared with the reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from nodes.models.change import Read
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

PRODUCT: Mapping[str, str] = {rf"{part}\.weight": f"product {part}" for part in ("a1", "a2", "b1", "b2")}
"""How names of files end, without a dot before, and the roles of the tensors."""


@dataclass(frozen=True, slots=True)
class Generalized:
    """GLoRA: W a1 a2 + b1 b2, times alpha / rank. a1 (in, rank), a2 (rank, in), b1 (out, rank), b2 (rank, in, ...)."""

    roles: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.roles.values())

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        shapes = {role: file.shape(name) for role, name in self.roles.items()}
        if min(len(weight), *(len(shapes[role]) for role in PRODUCT.values())) < 2:
            return False
        a1, a2, b1, b2 = ((shapes[role][0], prod(shapes[role][1:])) for role in PRODUCT.values())
        rank, inputs = a2[0], weight[1]
        wanted = ((inputs, rank), (rank, inputs), (weight[0], rank), (rank, prod(weight[1:])))
        return (a1, a2, b1, b2) == wanted and rank > 0 and prod(shapes.get("alpha", ())) == 1

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, as a sum and its factor."""
        import torch

        a1, a2, b1, b2 = (read(self.roles[role]).flatten(1) for role in PRODUCT.values())
        own = torch.einsum("oi...,ij->oj...", weight, a1 @ a2)
        alpha = read(self.roles["alpha"]).item() if "alpha" in self.roles else len(a2)
        return own + (b1 @ b2).reshape(weight.shape), alpha / len(a2)


def change(roles: Mapping[str, str]) -> Generalized | None:
    """Return the change that tensors by these roles are; None where they are none of these, or not whole."""
    if not {*PRODUCT.values()} <= roles.keys():
        return None
    return Generalized({role: name for role, name in roles.items() if role in (*PRODUCT.values(), "alpha")})
