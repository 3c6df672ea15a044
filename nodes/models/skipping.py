"""Blocks of a transformer that are left out of some calls: for what, and while."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from nodes.models.families.flux_transformer import SKIP
from nodes.network_options import SkippedBlocks
from nodes.sampling.corrections import Correction, Point, perturbed
from nodes.sampling.guidance import Guidance, Part
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Inputs, Predictor


@dataclass(frozen=True, slots=True)
class Skip:
    """Numbers of double and single blocks that are left out while first_sigma >= sigma >= last_sigma."""

    double: tuple[int, ...]
    single: tuple[int, ...]
    first_sigma: float
    last_sigma: float

    def counts(self, sigma: Tensor) -> bool:
        return self.first_sigma >= sigma.item() >= self.last_sigma


def skip(option: SkippedBlocks, levels: NoiseLevels) -> Skip:
    """Return what an option leaves out over the levels of a model."""
    return Skip(option.double, option.single, levels.sigma_at(option.start), levels.sigma_at(option.end))


def skipping(parts: Sequence[Part], left_out: Skip) -> tuple[Part, ...]:
    """Return parts that the network is called for without some blocks."""
    return tuple(replace(part, inputs={**part.inputs, SKIP: left_out}) for part in parts)


def ranged(predict: Predictor) -> Predictor:
    """Return the predictor with blocks left out only at the noise levels at which that counts."""

    def call(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        left_out: Skip | None = inputs.get(SKIP)
        if left_out is None or left_out.counts(sigma):
            return predict(x, sigma, inputs)
        return predict(x, sigma, {name: value for name, value in inputs.items() if name != SKIP})

    return call


def away(guided: Guidance, option: SkippedBlocks, left_out: Skip) -> Correction:
    """Add (cond - what the network predicts for it without some blocks) * scale, at the levels at which that counts.

    With a ``rescaling`` the result is multiplied by a factor between 1 (0) and what gives it the spread of cond (1).
    """
    scale = option.scale or 0.0
    correction = perturbed(guided.predict, skipping(guided.positive, left_out), scale)

    def ranged_correction(at: Point) -> Tensor:
        if not scale or not left_out.counts(at.sigma):
            return at.cond.new_zeros(())
        added = correction(at)
        if not option.rescaling:
            return added
        result = at.guided + added
        factor = option.rescaling * (at.cond.std() / result.std()) + 1 - option.rescaling
        return result * factor - at.guided

    return ranged_correction
