"""OFT: the outputs of a weight turned, block by block. Qiu et al. (2023), arXiv 2306.07280.

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

ROTATION: Mapping[str, str] = {"oft_blocks": "blocks", "rescale": "rescale"}
"""How names of files end, without a dot before, and the roles of the tensors."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """R^T W, where R = (I + Q) (I - Q)^-1 and Q = B - B^T for each block B: Cayley's form of a rotation.

    ``roles`` has the names of its tensors in the file: ``blocks`` (blocks, size, size), which together are as many rows
    as the weight has; ``rescale`` has a factor for each row. An ``alpha`` above 0 bounds the norm of all Q together: it
    is at most alpha times the rows, as in kohya's tools and LyCORIS. Other strengths lie on the line through W.
    """

    roles: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.roles.values())

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        shapes = {role: file.shape(name) for role, name in self.roles.items()}
        blocks = shapes["blocks"]
        return (
            len(blocks) == 3
            and len(weight) >= 2
            and (blocks[1], blocks[0] * blocks[1]) == (blocks[2], weight[0])
            and prod(shapes.get("rescale", weight[:1])) == weight[0]
            and prod(shapes.get("alpha", ())) == 1
        )

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, and 1."""
        import torch

        parts = {role: read(name) for role, name in self.roles.items()}
        blocks = parts["blocks"]
        q = blocks - blocks.mT
        largest = parts["alpha"].item() * weight.shape[0] if "alpha" in parts else 0.0
        if largest > 0:
            q = q * (largest / q.norm().clamp_min(torch.finfo(q.dtype).tiny)).clamp(max=1)
        one = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
        rotation = torch.linalg.solve(one - q, one + q)
        turned = (rotation.mT @ weight.reshape(*blocks.shape[:2], -1)).reshape(weight.shape)
        if "rescale" in parts:
            turned = turned * parts["rescale"].reshape(-1, *(1,) * (weight.ndim - 1))
        return turned - weight, 1.0


def change(roles: Mapping[str, str]) -> Rotated:
    """Return the change that tensors by these roles are, of which one has the role ``blocks``."""
    return Rotated({role: name for role, name in roles.items() if role in (*ROTATION.values(), "alpha")})
