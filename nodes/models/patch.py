"""What recipes do to weights, ready to be applied while a network is put together, tensor by tensor."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.weights import Weights
from nodes.models.wide import SCALE


class Patch(Protocol):
    """A change of some of a network's weights, which are known by their names in the module."""

    def touches(self, parameter: str) -> bool: ...

    def applied(self, weight: Tensor, parameter: str) -> Tensor:
        """Return a weight (float32) after the change. The given tensor is not changed."""
        ...


def touched(parameter: str, patches: Iterable[Patch]) -> bool:
    """Tell whether one of the patches changes a weight."""
    return any(patch.touches(parameter) for patch in patches)


def untouched(tensors: Mapping[str, Tensor], patches: Sequence[Patch]) -> dict[str, Tensor]:
    """Return the tensors that no patch changes, by their names."""
    return {name: tensor for name, tensor in tensors.items() if not touched(name, patches)}


def patched(weight: Tensor, parameter: str, patches: Sequence[Patch]) -> Tensor:
    """Return a weight (float32) under all patches, in order, in float32. The given tensor is not changed."""
    for patch in patches:
        if patch.touches(parameter):
            weight = patch.applied(weight, parameter)
    return weight


@dataclass(frozen=True, slots=True)
class Rounding:
    """Every weight rounded to a dtype; values that it can't hold become its largest."""

    dtype: torch.dtype

    def touches(self, parameter: str) -> bool:
        return True

    def applied(self, weight: Tensor, parameter: str) -> Tensor:
        largest = torch.finfo(self.dtype).max
        return weight.clamp(-largest, largest).to(self.dtype).float()


@dataclass(frozen=True, slots=True)
class Scaling:
    """Weights multiplied by the factor of the first expression that finds a part of their name."""

    factors: Sequence[tuple[str, float]]

    def touches(self, parameter: str) -> bool:
        return self._factor(parameter) != 1.0

    def applied(self, weight: Tensor, parameter: str) -> Tensor:
        return weight * self._factor(parameter)

    def _factor(self, parameter: str) -> float:
        return next((factor for pattern, factor in self.factors if re.search(pattern, parameter)), 1.0)


@dataclass(frozen=True, slots=True)
class Changing:
    """Functions over weights, by the name of the weight: each gets what the one before returned."""

    changes: Mapping[str, Sequence[Callable[[Tensor], Tensor]]]

    def touches(self, parameter: str) -> bool:
        return parameter in self.changes

    def applied(self, weight: Tensor, parameter: str) -> Tensor:
        for change in self.changes[parameter]:
            weight = change(weight)
        return weight


@dataclass(frozen=True, slots=True)
class Mixing:
    """Another network of the same build, under patches of its own: W * own + its W * taken.

    ``shares`` has (own, taken) by the name of the weight. Nothing is taken for those in ``apart``, which have another
    shape there.
    """

    weights: Weights
    network: Network
    patches: Sequence[Patch]
    shares: Mapping[str, tuple[float, float]]
    apart: tuple[str, ...]

    def touches(self, parameter: str) -> bool:
        return self.shares.get(parameter, (1.0, 0.0)) != (1.0, 0.0)

    def applied(self, weight: Tensor, parameter: str) -> Tensor:
        own, taken = self.shares[parameter]
        if not taken:
            return weight * own
        other = self.network.tensor(self.weights, parameter).reshape(weight.shape).to(weight.device).float()
        if (factor := f"{parameter.removesuffix('weight')}{SCALE}") in self.network.keys:
            other = other * self.network.tensor(self.weights, factor).to(weight)
        return weight * own + patched(other, parameter, self.patches) * taken


FIRST = "conv_in.weight"
"""The weight in which an inpainting or editing UNet differs from the model that it was made from."""


def mixing(
    base: tuple[Weights, Network],
    other: tuple[Weights, Network],
    patches: Sequence[Patch],
    shares: Sequence[tuple[str, float, float]],
) -> Mixing:
    """Fit a network to another one, each given with its file. Reads headers only.

    ``shares`` is as in ``Merge``. Raises ModelError where the two are not of the same build.
    """
    apart = _apart(base, other)
    found = {}
    for name, _ in _shapes(*base):
        original = base[1].originals.get(name, name)
        _, own, taken = max((share for share in shares if original.startswith(share[0])), key=lambda s: len(s[0]))
        found[name] = own, 0.0 if name in apart else taken
    return Mixing(*other, patches, found, apart)


def _apart(base: tuple[Weights, Network], other: tuple[Weights, Network]) -> tuple[str, ...]:
    """Return the weights that differ in shape. Raises ModelError where more than the first convolution does."""
    weights, others = base[0], other[0]
    own, theirs = (dict(_shapes(*each)) for each in (base, other))
    apart = [name for name in {**own, **theirs} if own.get(name) != theirs.get(name)]
    if any(name != FIRST for name in apart):
        name = next(name for name in apart if name != FIRST)
        raise ModelError(
            f"{others.path.name} can't be merged into {weights.path.name}: they are not of the same family",
            got=f"{name}: {theirs.get(name, 'not there')}",
            expected=f"{name}: {own.get(name, 'not there')}",
            hint="merge models that were made from the same base",
        )
    return tuple(apart)


def _shapes(weights: Weights, network: Network) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and shapes without the ones at their end, in which layouts differ."""
    for name in network.keys:
        if name.endswith(SCALE):
            continue
        shape = network.shape(weights, name)
        while shape and shape[-1] == 1:
            shape = shape[:-1]
        yield name, shape
