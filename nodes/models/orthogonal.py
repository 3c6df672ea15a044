"""OFT: the outputs of a weight turned, block by block. Qiu et al. (2023), arXiv 2306.07280.

BOFT turns them in stages, as a butterfly. Liu et al. (2023), arXiv 2311.06243.

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

    Blocks (stages, blocks, size, size) are those of BOFT: R_m ... R_1 W, where stage i turns groups of rows of which
    one half lies 2^(i - 1) size / 2 rows behind the other.
    """

    roles: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.roles.values())

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        shapes = {role: file.shape(name) for role, name in self.roles.items()}
        *stages, number, size, other = shapes["blocks"] if len(shapes["blocks"]) in (3, 4) else (0, 0, 0)
        return (
            len(weight) >= 2
            and (size, number * size) == (other, weight[0])
            and (not stages or (stages[0] > 0 and size % 2 == 0 and weight[0] % (2 ** (stages[0] - 1) * size) == 0))
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
        if blocks.ndim == 3:
            turned = (rotation.mT @ weight.reshape(*blocks.shape[:2], -1)).reshape(weight.shape)
        else:
            turned = _in_stages(weight.flatten(1), rotation).reshape(weight.shape)
        if "rescale" in parts:
            turned = turned * parts["rescale"].reshape(-1, *(1,) * (weight.ndim - 1))
        return turned - weight, 1.0


def _in_stages(rows: "Tensor", rotations: "Tensor") -> "Tensor":
    """Return rows (outputs, inputs) turned by (stages, blocks, size, size)."""
    blocks, size = rotations.shape[1:3]
    for stage, rotation in enumerate(rotations):
        behind = 2**stage * size // 2
        grouped = rows.reshape(-1, 2, behind, rows.shape[1]).transpose(1, 2).reshape(blocks, size, -1)
        rows = (rotation @ grouped).reshape(-1, behind, 2, rows.shape[1]).transpose(1, 2).reshape(rows.shape)
    return rows


def change(roles: Mapping[str, str]) -> Rotated:
    """Return the change that tensors by these roles are, of which one has the role ``blocks``."""
    return Rotated({role: name for role, name in roles.items() if role in (*ROTATION.values(), "alpha")})
