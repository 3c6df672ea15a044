"""Classifier-free guidance over any number of conditionings, each with its region.

``Guidance`` turns a ``Predictor`` into the denoiser that a solver calls. Both sides go through the network in one batch
where their shapes allow.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nodes.sampling.prediction import Inputs, Predictor
from nodes.sampling.regions import EVERYWHERE, Region, weights
from nodes.sampling.seam import Guided


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One conditioning: what the network gets beside x, and where and when it counts.

    Tensors in ``inputs`` are (batch or 1, ...), ``context`` (batch or 1, tokens, width), ``concat`` (batch or 1,
    channels, ..., height, width) like x, and cut to the region's area like it; they are repeated to the batch and
    concatenated between parts that share a call. Other values are handed on as they are, and parts share a call
    only if theirs are equal. So are ``weights``, which say what the network's weights are for it, where not as usual.
    A part that ``fills`` counts where the others of its side leave something of 1, instead of as its region says.
    ``steering`` names inputs that belong to the region and not to the text. Where the context attends to x too, the
    part ``is_joint``: it shares calls with contexts of its length only.
    """

    inputs: Inputs
    region: Region = EVERYWHERE
    weights: tuple[Any, ...] = ()
    fills: bool = False
    steering: frozenset[str] = frozenset()
    is_joint: bool = False


@dataclass(frozen=True, slots=True)
class Sides:
    """What a guidance rule gets: x, its noise level, and x0 as predicted for each side."""

    x: Tensor
    sigma: Tensor
    cond: Tensor
    uncond: Tensor
    others: Sequence[Tensor] = ()


Rule: TypeAlias = Callable[[Sides], Tensor]
Scaled: TypeAlias = Callable[[float], Rule]
"""Guidance between two sides, for a scale."""


def classifier_free(scale: float) -> Rule:
    """uncond + (cond - uncond) * scale on x0: Ho and Salimans (2022), arXiv 2207.12598."""
    return lambda s: s.uncond + (s.cond - s.uncond) * scale


def rescaled(scale: float, multiplier: float) -> Rule:
    """Classifier-free guidance in v space whose spread is pulled back to cond's by ``multiplier`` (0..1).

    Lin et al. (2023), arXiv 2305.08891, section 3.4. Not compared with the reference.
    """

    def rule(s: Sides) -> Tensor:
        norm = (s.sigma**2 + 1) ** 0.5
        x = s.x / (s.sigma**2 + 1)
        cond, uncond = ((x - side) * norm / s.sigma for side in (s.cond, s.uncond))
        guided = uncond + (cond - uncond) * scale
        dims = tuple(range(1, s.x.ndim))
        pulled = guided * (cond.std(dim=dims, keepdim=True) / guided.std(dim=dims, keepdim=True))
        v = multiplier * pulled + (1 - multiplier) * guided
        return x - v * s.sigma / norm

    return rule


def dual(scale: float, scale_middle: float, nested: bool = False, inner: Scaled = classifier_free) -> Rule:
    """Guidance by two prompts, the second of which (``others[0]``) stands between the first and the negative.

    One step leads from the middle to cond, with ``scale``; one from uncond to the middle (``nested``: to what the first
    step gave), with ``scale_middle``. Brooks et al. (2022), arXiv 2211.09800, equation 3.
    """

    def rule(s: Sides) -> Tensor:
        middle = s.others[0]
        if nested:
            return s.uncond + (inner(scale)(replace(s, uncond=middle)) - s.uncond) * scale_middle
        return inner(scale_middle)(replace(s, cond=middle)) + (s.cond - middle) * scale

    return rule


def perpendicular(scale: float, negative_scale: float) -> Rule:
    """Perp-Neg: what the negative has in common with the positive is left out; ``others[0]`` is the empty prompt.

    Armandpour et al. (2023), arXiv 2304.04968, equation 8. Each latent of a batch has a projection of its own.
    """

    def rule(s: Sides) -> Tensor:
        empty = s.others[0]
        positive, negative = s.cond - empty, s.uncond - empty
        dims = tuple(range(1, s.x.ndim))
        shared = (positive * negative).sum(dims, keepdim=True) / (positive**2).sum(dims, keepdim=True).clamp(min=TINY)
        return empty + scale * (positive - negative_scale * (negative - shared * positive))

    return rule


def paired(*sides: Sequence[Part]) -> tuple[tuple[Part, ...], ...]:
    """Give each area on one side a counterpart on the others.

    A part with an area that another side lacks is copied there (area, mask, strength, range, what steers it) with the
    text of the smallest part of that side that covers it, or of a part without an area.
    """
    answered = [list(side) for side in sides]
    for side in answered:
        for part, other in product(side, (other for other in answered if other is not side)):
            host = _host(other, part) if part.region.area else None
            if host and host.region.area != part.region.area:
                text = {name: value for name, value in host.inputs.items() if name not in host.steering}
                steering = {name: part.inputs[name] for name in part.steering}
                other.append(replace(part, inputs=text | steering))
    return tuple(map(tuple, answered))


def _host(side: Iterable[Part], part: Part) -> Part | None:
    """The part of ``side`` with the smallest area around ``part``'s; parts without an area come last."""
    area = part.region.area
    hosts = [p for p in side if p.region.area is None or (area and p.region.area.covers(area))]

    def size(p: Part) -> float:
        return p.region.area.height * p.region.area.width if p.region.area else math.inf

    return min(hosts, key=size, default=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One part at work on its cut of x. ``side`` says which sum it goes into."""

    side: int
    part: Part
    inputs: Inputs
    x: Tensor
    weight: Tensor


def blended(predict: Predictor, sides: Sequence[Sequence[Part]], x: Tensor, sigma: Tensor) -> list[Tensor]:
    """x0 of each side: sum(prediction * weight) / sum(weight) over its active parts, 0 where there is none."""
    sums = [torch.zeros_like(x) for _ in sides]
    totals = [torch.full_like(x, TINY) for _ in sides]
    level = sigma.item()
    active = [[part for part in side if part.region.active(level)] for side in sides]
    calls = [_call(i, part, x) for i, side in enumerate(active) for part in side if not part.fills]
    for i, side in enumerate(active):
        if fillers := [part for part in side if part.fills]:
            rest = _rest([call for call in calls if call.side == i], x)
            calls += [_call(i, part, x, rest) for part in fillers if rest.any()]
    for group in _groups(calls):
        for call, prediction in zip(group, _predicted(predict, group, sigma), strict=True):
            area = call.part.region.area
            cut = area.within(*x.shape[-2:]).of if area else _whole
            cut(sums[call.side]).add_(prediction * call.weight)
            cut(totals[call.side]).add_(call.weight)
    return [total / weight for total, weight in zip(sums, totals, strict=True)]


TINY = 1e-37
"""Keeps 0 / 0 from being NaN where no part of a side is active."""


def _whole(x: Tensor) -> Tensor:
    return x


def _call(side: int, part: Part, x: Tensor, rest: Tensor | None = None) -> _Call:
    area, inputs = part.region.area, part.inputs
    cut = area.within(*x.shape[-2:]).of if area else _whole
    if CONCAT in inputs:
        inputs = {**inputs, CONCAT: cut(inputs[CONCAT])}
    return _Call(side, part, inputs, cut(x), weights(part.region, x) if rest is None else cut(rest))


def _rest(calls: Iterable[_Call], x: Tensor) -> Tensor:
    """What the weights of calls leave of 1 in each cell, (batch, 1, ..., height, width)."""
    rest = torch.ones_like(x[:, :1])
    for call in calls:
        area = call.part.region.area
        cut = area.within(*x.shape[-2:]).of if area else _whole
        cut(rest).sub_(call.weight)
    return rest.clamp_(min=0.0)


def _groups(calls: Iterable[_Call]) -> list[list[_Call]]:
    """Calls that can share one pass through the network, in order of their first."""
    groups: list[list[_Call]] = []
    for call in calls:
        for group in groups:
            if _shareable(group[0], call):
                group.append(call)
                break
        else:
            groups.append([call])
    return groups


def _shareable(a: _Call, b: _Call) -> bool:
    left, right = a.inputs, b.inputs
    if a.part.weights != b.part.weights or (a.part.is_joint and left[CONTEXT].shape[1] != right[CONTEXT].shape[1]):
        return False
    return a.x.shape == b.x.shape and left.keys() == right.keys() and all(_fit(k, left[k], right[k]) for k in left)


def _fit(name: str, a: Any, b: Any) -> bool:
    if not (torch.is_tensor(a) and torch.is_tensor(b)):
        return bool(a is b or a == b)
    if name == CONTEXT and a.shape[2:] == b.shape[2:]:
        return math.lcm(a.shape[1], b.shape[1]) <= LONGEST_REPEAT * min(a.shape[1], b.shape[1])
    return a.shape[1:] == b.shape[1:]


CONTEXT = "context"
"""The input (batch, tokens, width) that is attended to: repeating all its tokens changes nothing under softmax where
nothing else is attended to with them, so contexts of different length can share a call."""

LONGEST_REPEAT = 4

WEIGHTS = "weights"
"""The input that holds the ``weights`` of parts, where they have any."""

PARTS = "parts"
"""The input that tells calls apart: which parts share one."""

CONCAT = "concat"
"""The input (batch, channels, ..., height, width) that is laid beside x, cell by cell."""


def _predicted(predict: Predictor, group: Sequence[_Call], sigma: Tensor) -> Sequence[Tensor]:
    batch = group[0].x.shape[0]
    inputs = {name: _joined(name, [call.inputs[name] for call in group], batch) for name in group[0].inputs}
    inputs[PARTS] = tuple(id(call.part) for call in group)
    if group[0].part.weights:
        inputs[WEIGHTS] = group[0].part.weights
    return predict(torch.cat([call.x for call in group]), sigma, inputs).chunk(len(group))


def _joined(name: str, values: Sequence[Any], batch: int) -> Any:
    if not torch.is_tensor(values[0]):
        return values[0]
    if name == CONTEXT:
        tokens = math.lcm(*(value.shape[1] for value in values))
        values = [value.repeat(1, tokens // value.shape[1], 1) for value in values]
    return torch.cat([_repeated(value, batch) for value in values])


def _repeated(value: Tensor, batch: int) -> Tensor:
    """``value`` repeated round and round, or cut, to the batch."""
    return value.repeat(math.ceil(batch / len(value)), *[1] * (value.ndim - 1))[:batch]


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """A denoiser under guidance.

    At ``scale`` 1, or without a negative side, only the positive one is evaluated, unless a ``rule`` stands in for
    classifier-free guidance. ``others`` are what such a rule takes besides. With ``always`` the rule counts without a
    negative side too, whose prediction is 0 then. Sides are taken as they are: see ``paired`` for areas.
    """

    predict: Predictor
    positive: Sequence[Part]
    negative: Sequence[Part] = ()
    scale: float = 1.0
    rule: Rule | None = None
    others: Sequence[Sequence[Part]] = ()
    always: bool = False

    @property
    def is_single(self) -> bool:
        """Whether only the positive side is evaluated, but for solvers that ask for both."""
        return self._is_alone or (self.rule is None and math.isclose(self.scale, 1.0))

    @property
    def _is_alone(self) -> bool:
        return not self.negative and not self.always

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self.is_single:
            return blended(self.predict, [self.positive], x, sigma)[0]
        return self.both(x, sigma).denoised

    def both(self, x: Tensor, sigma: Tensor) -> Guided:
        return self.sides(x, sigma)[0]

    def sides(self, x: Tensor, sigma: Tensor) -> tuple[Guided, Tensor]:
        """What guidance made of a prediction, and the conditional prediction that went into it."""
        if self._is_alone:
            alone = self(x, sigma)
            return Guided(alone, alone), alone
        cond, uncond, *others = blended(self.predict, [self.positive, self.negative, *self.others], x, sigma)
        rule = self.rule or classifier_free(self.scale)
        return Guided(rule(Sides(x, sigma, cond, uncond, others)), uncond), cond
