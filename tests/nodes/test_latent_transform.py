import pytest
import torch

from nodes.latent_transform import latent_crop, latent_flip, latent_rotate
from nodes.recipes import Latent

LATENT = Latent(torch.arange(12.0 * 16).reshape(1, 1, 12, 16))
TURNS = ("none", "90 degrees", "180 degrees", "270 degrees")


def test_flipping_over_each_axis():
    assert torch.equal(latent_flip(LATENT, flip_method="x-axis: vertically").samples, LATENT.samples.flip(2))
    assert torch.equal(latent_flip(LATENT, flip_method="y-axis: horizontally").samples, LATENT.samples.flip(3))


def test_rotation_is_clockwise():
    small = Latent(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert latent_rotate(small, rotation="90 degrees").samples.flatten().tolist() == [3, 1, 4, 2]


@pytest.mark.parametrize("turns", range(4))
def test_turns_add_up_to_a_whole_one(turns):
    there = latent_rotate(LATENT, rotation=TURNS[turns])
    assert torch.equal(latent_rotate(there, rotation=TURNS[-turns]).samples, LATENT.samples)


@pytest.mark.parametrize(("x", "y", "left", "top"), [(0, 0, 0, 0), (31, 16, 3, 2), (999, 999, 8, 4)])
def test_a_crop_begins_at_its_corner_or_before_the_end(x, y, left, top):
    result = latent_crop(LATENT, 64, 64, x, y).samples
    assert torch.equal(result, LATENT.samples[..., top : top + 8, left : left + 8])


def test_a_crop_can_not_reach_over_the_border():
    assert latent_crop(LATENT, 512, 64, 64).samples.shape == (1, 1, 8, 8)
