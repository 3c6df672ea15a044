import math

import pytest
import torch

from nodes.sampling.regions import EVERYWHERE, Area, Region, fraction_area, mask_area, resized_mask, weights

X = torch.zeros(2, 4, 16, 24)


def test_everywhere_counts_fully_and_always():
    assert weights(EVERYWHERE, X).expand_as(X).unique().tolist() == [1.0]
    assert EVERYWHERE.active(1e9)
    assert EVERYWHERE.active(0.0)


def test_strength_scales():
    assert weights(Region(strength=0.25), X).unique().tolist() == [0.25]


@pytest.mark.parametrize(("sigma", "active"), [(5.0, True), (2.0, True), (5.1, False), (1.9, False)])
def test_ranges_include_their_ends(sigma, active):
    assert Region(first_sigma=5.0, last_sigma=2.0).active(sigma) is active


def test_the_first_and_the_last_range_cover_all_levels():
    assert Region(first_sigma=math.inf, last_sigma=2.0).active(14.6)
    assert Region(first_sigma=2.0, last_sigma=0.0).active(1e-3)


def test_an_area_fades_only_at_inner_borders():
    fade = weights(Region(area=Area(8, 24, 0, 0)), X)[0, 0]
    assert fade.shape == (8, 24)
    assert fade[:, 5].tolist() == [1, 1, 1, 1, 1, 1, 1, 0.5]
    assert fade[0].tolist() == [1.0] * 24


def test_the_fade_is_at_most_eight_cells_and_a_quarter_of_the_area():
    wide = torch.zeros(1, 4, 100, 100)
    fade = weights(Region(area=Area(64, 20, 10, 10), strength=2.0), wide)[0, 0]
    assert fade[:9, 10].tolist() == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.0]
    assert fade[30, :6].tolist() == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0, 2.0])
    assert torch.equal(fade, fade.flip(0).flip(1))


def test_an_area_that_sticks_out_is_cut():
    assert Area(100, 10, 8, 20).within(16, 24) == Area(8, 4, 8, 20)
    assert weights(Region(area=Area(100, 10, 8, 20)), X).shape == (1, 1, 8, 4)


def test_a_mask_replaces_the_fade():
    mask = torch.rand(1, 16, 24, generator=torch.Generator().manual_seed(0))
    area = Area(8, 8, 4, 4)
    found = weights(Region(area=area, mask=mask, strength=0.5), X)
    assert torch.equal(found, (mask[:, 4:12, 4:12] * 0.5)[:, None])


def test_weights_of_video_latents():
    video = torch.zeros(1, 16, 5, 16, 24)
    mask = torch.ones(1, 16, 24)
    assert weights(Region(mask=mask), video).shape == (1, 1, 1, 16, 24)
    assert weights(Region(area=Area(8, 8, 0, 0)), video).shape == (1, 1, 1, 8, 8)


def test_fraction_area():
    assert fraction_area(0.5, 0.25, 0.5, 0.0, 16, 24) == Area(8, 6, 8, 0)
    assert fraction_area(0.001, 0.001, 0.0, 0.0, 16, 24) == Area(1, 1, 0, 0)


def test_mask_area_is_tight_but_not_small():
    mask = torch.zeros(2, 64, 64)
    mask[0, 10:30, 5] = 1
    mask[1, 12, 5:8] = 0.5
    assert mask_area(mask) == Area(20, 8, 10, 5)
    assert mask_area(torch.zeros(1, 64, 64)) == Area(8, 8, 0, 0)


def test_masks_are_resized_without_rounding():
    mask = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    assert resized_mask(mask, 2, 4)[0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]
    assert resized_mask(mask, 2, 2) is mask


def test_covers():
    assert Area(8, 8, 0, 0).covers(Area(4, 4, 4, 4))
    assert not Area(8, 8, 0, 0).covers(Area(4, 4, 5, 4))
