import torch
from torch import Tensor

from nodes.models.families.flux_transformer import SKIP
from nodes.models.families.sd3 import levels
from nodes.models.skipping import Skip, away, ranged, skip, skipping
from nodes.network_options import SkippedBlocks
from nodes.sampling.corrections import Point
from nodes.sampling.guidance import Guidance, Part
from nodes.sampling.prediction import Inputs

OPTION = SkippedBlocks((1,), (2,), 2.0, 0.0, 0.5)


def predict(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
    return x * 0 + (1.0 if SKIP in inputs else 4.0)


def test_a_part_of_the_sampling_is_a_range_of_levels() -> None:
    found = skip(OPTION, levels())
    assert (found.double, found.single) == ((1,), (2,))
    assert found.first_sigma == float("inf") and found.last_sigma == levels().sigma_at(0.5)
    assert found.counts(torch.tensor(0.9)) and not found.counts(torch.tensor(0.1))


def test_blocks_are_left_out_in_that_range_only() -> None:
    (part,) = skipping([Part({"context": torch.zeros(1, 2, 3)})], Skip((1,), (), 1.0, 0.5))
    x = torch.zeros(1, 1, 2, 2)
    assert ranged(predict)(x, torch.tensor(0.7), part.inputs).unique().item() == 1.0
    assert ranged(predict)(x, torch.tensor(0.3), part.inputs).unique().item() == 4.0
    assert ranged(predict)(x, torch.tensor(0.7), {}).unique().item() == 4.0


def test_the_correction_is_what_the_blocks_add() -> None:
    guided = Guidance(predict, [Part({"context": torch.zeros(1, 2, 3)})])
    x, cond = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 4.0)
    correction = away(guided, OPTION, Skip((1,), (), 1.0, 0.5))
    added = correction(Point(x, torch.tensor(0.7), cond, cond, cond))
    assert added.unique().item() == (4.0 - 1.0) * 2.0
    assert not correction(Point(x, torch.tensor(0.3), cond, cond, cond)).any()
