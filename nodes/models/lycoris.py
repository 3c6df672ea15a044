"""Changes of weights by products of small matrices other than LoRA's: Yeh et al. (2023), LyCORIS, arXiv 2309.14859.

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

HADAMARD: Mapping[str, str] = {f"hada_{part}": part for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")}
KRONECKER: Mapping[str, str] = {
    f"lokr_{part}": f"kron_{part}" for part in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
}
"""How names of files end, without a dot before, and the roles of the tensors."""


@dataclass(frozen=True, slots=True)
class Hadamard:
    """LoHa: (a1 @ b1) * (a2 @ b2), times alpha / rank. ``roles`` has the names of its tensors in the file."""

    roles: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.roles.values())

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        shapes = {role: file.shape(name) for role, name in self.roles.items()}
        made = [_made(shapes, f"w{n}_a", f"w{n}_b", f"t{n}") for n in (1, 2)]
        whole = [(*weight[:1], prod(weight[1:])), tuple(weight)]
        return all(shape in whole for shape in made) and prod(shapes.get("alpha", ())) == 1

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, as a product and its factor."""
        parts = {role: read(name) for role, name in self.roles.items()}
        first, second = (_product(parts, f"w{n}_a", f"w{n}_b", f"t{n}") for n in (1, 2))
        return (first * second).reshape(weight.shape), _scale(parts, parts["w1_b"].shape[0])


@dataclass(frozen=True, slots=True)
class Kronecker:
    """LoKr: the Kronecker product of two matrices, each whole or a product of two, times alpha / rank.

    Where both are whole there is no rank, and alpha does not count.
    """

    roles: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.roles.values())

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        shapes = {role: file.shape(name) for role, name in self.roles.items()}
        first, second = (
            shapes[f"kron_w{n}"]
            if f"kron_w{n}" in shapes
            else _made(shapes, f"kron_w{n}_a", f"kron_w{n}_b", f"kron_t{n}")
            for n in (1, 2)
        )
        return (
            min(len(first), len(second)) >= 2
            and (first[0] * second[0], prod((*first[1:], *second[1:]))) == (*weight[:1], prod(weight[1:]))
            and prod(shapes.get("alpha", ())) == 1
        )

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, as a product and its factor."""
        import torch

        parts = {role: read(name) for role, name in self.roles.items()}
        first, second = (
            parts[f"kron_w{n}"]
            if f"kron_w{n}" in parts
            else _product(parts, f"kron_w{n}_a", f"kron_w{n}_b", f"kron_t{n}")
            for n in (1, 2)
        )
        ranked = [parts[f"kron_w{n}_b"] for n in (1, 2) if f"kron_w{n}" not in parts]
        first, second = (part.flatten(1).contiguous() for part in (first, second))
        whole = torch.kron(first, second).reshape(weight.shape)
        return whole, _scale(parts, ranked[-1].shape[0]) if ranked else 1.0


def change(roles: Mapping[str, str]) -> Hadamard | Kronecker | None:
    """Return the change that tensors by these roles are; None where they are none of these, or not whole."""
    hadamard = {role: name for role, name in roles.items() if role in HADAMARD.values() or role == "alpha"}
    if {"w1_a", "w1_b", "w2_a", "w2_b"} <= hadamard.keys() and ("t1" in hadamard) == ("t2" in hadamard):
        return Hadamard(hadamard)
    kronecker = {role: name for role, name in roles.items() if role in KRONECKER.values() or role == "alpha"}
    halves = [kronecker.keys() & {f"kron_w{n}", f"kron_w{n}_a", f"kron_w{n}_b"} for n in (1, 2)]
    is_whole = all(f"kron_w{n}" in half or len(half) == 2 for n, half in enumerate(halves, 1))
    return Kronecker(kronecker) if is_whole else None


def _product(parts: Mapping[str, "Tensor"], a: str, b: str, core: str) -> "Tensor":
    """Return a @ b; with a core (rank, rank, height, width), Tucker's product of it with both."""
    import torch

    if core in parts:
        made: Tensor = torch.einsum("ijkl,jr,ip->prkl", parts[core], parts[b], parts[a])
        return made
    return parts[a].flatten(1) @ parts[b].flatten(1)


def _made(shapes: Mapping[str, tuple[int, ...]], a: str, b: str, core: str) -> tuple[int, ...]:
    """Return the shape of `_product` of tensors of these shapes; () where they have none."""
    left, right = shapes[a], shapes[b]
    if core in shapes:
        ranks, kernel = shapes[core][:2], shapes[core][2:]
        fits = (len(left), len(right), len(kernel)) == (2, 2, 2) and ranks == (left[0], right[0])
        return (left[1], right[1], *kernel) if fits and all(ranks) else ()
    fits = min(len(left), len(right)) >= 2 and prod(left[1:]) == right[0] > 0
    return (left[0], prod(right[1:])) if fits else ()


def _scale(parts: Mapping[str, "Tensor"], rank: int) -> float:
    return float(parts["alpha"]) / rank if "alpha" in parts else 1.0
