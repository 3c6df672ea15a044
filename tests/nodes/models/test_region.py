import math

import pytest
import torch

from engine.errors import InputError
from nodes.models.region import region
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.regions import Area

LEVELS = stable_diffusion()
X = torch.zeros(3, 4, 16, 24)


def test_no_options_mean_everywhere_and_always():
    found = region({}, X, LEVELS)
    assert (found.area, found.mask, found.strength) == (None, None, 1.0)
    assert (found.first_sigma, found.last_sigma) == (math.inf, 0.0)


@pytest.mark.parametrize(
    ("given", "area"),
    [((8, 12, 2, 1), Area(8, 12, 2, 1)), (("percentage", 0.25, 0.5, 0.5, 0.0), Area(4, 12, 8, 0))],
)
def test_areas_in_cells_and_in_parts(given, area):
    assert region({"area": given, "strength": 0.5}, X, LEVELS).area == area


@pytest.mark.parametrize("given", [(8, 8, 16, 0), (8, 8, 0, 24), ("percentage", 0.5, 0.5, 1.0, 0.0)])
def test_an_area_outside_is_refused(given):
    with pytest.raises(InputError, match="outside"):
        region({"area": given}, X, LEVELS)


def test_masks_are_resized_and_weighed():
    mask = torch.zeros(1, 128, 192)
    mask[:, :64] = 1
    found = region({"mask": mask, "mask_strength": 0.5}, X, LEVELS)
    assert found.mask.shape == (1, 16, 24) and found.area is None
    assert found.mask[0, :, 0].tolist() == [0.5] * 8 + [0.0] * 8


def test_a_batch_of_masks_goes_round():
    mask = torch.arange(2.0).reshape(2, 1, 1).expand(2, 16, 24)
    assert region({"mask": mask}, X, LEVELS).mask[:, 0, 0].tolist() == [0, 1, 0]


def test_the_bounds_of_a_mask_are_an_area():
    mask = torch.zeros(1, 16, 24)
    mask[:, 2:12, 10:13] = 1
    assert region({"mask": mask, "set_area_to_bounds": True, "area": (1, 1, 0, 0)}, X, LEVELS).area == Area(
        10, 8, 2, 10
    )


def test_a_range_is_a_range_of_levels():
    found = region({"start_percent": 0.25, "end_percent": 0.5}, X, LEVELS)
    assert (found.first_sigma, found.last_sigma) == (LEVELS.sigma_at(0.25), LEVELS.sigma_at(0.5))
    whole = region({"start_percent": 0.0, "end_percent": 1.0}, X, LEVELS)
    assert (whole.first_sigma, whole.last_sigma) == (math.inf, 0.0)


def test_of_two_ranges_what_both_have_in_common_counts():
    both = {"start_percent": 0.2, "end_percent": 0.8, "clip_start_percent": 0.5, "clip_end_percent": 1.0}
    found = region(both, X, LEVELS)
    assert (found.first_sigma, found.last_sigma) == (LEVELS.sigma_at(0.5), LEVELS.sigma_at(0.8))
    assert region({"start_percent": None, "clip_end_percent": 0.5}, X, LEVELS).last_sigma == LEVELS.sigma_at(0.5)
