import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.latent import (
    empty_latent_image,
    latent_from_batch,
    latent_upscale,
    latent_upscale_by,
    repeat_latent_batch,
    set_latent_noise_mask,
)
from nodes.recipes import Latent


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def batch(count, **more):
    """Return latents of 2 x 2 cells whose values are their places."""
    return Latent(torch.arange(float(count)).reshape(-1, 1, 1, 1).repeat(1, 4, 2, 2), **more)


def places(latent):
    return latent.samples[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(("width", "height", "shape"), [(512, 768, (1, 4, 96, 64)), (100, 63, (1, 4, 7, 12))])
def test_empty_latents_have_a_cell_per_8_pixels(width, height, shape):
    latent = empty_latent_image(width, height)
    assert latent.samples.shape == shape and latent.samples.dtype == torch.float32
    assert not latent.samples.any() and latent.noise_mask is None
    assert empty_latent_image(64, 64, 3).samples.shape == (3, 4, 8, 8)


@pytest.mark.parametrize(
    ("width", "height", "cells"),
    [
        (128, 256, (32, 16)),
        (100, 70, (8, 12)),
        (8, 16, (8, 8)),
        (0, 128, (16, 32)),
        (256, 0, (16, 32)),
        (0, 8, (8, 16)),
        (0, 0, (10, 20)),
    ],
)
def test_upscaling_to_a_size(width, height, cells):
    latent = Latent(noise(2, 4, 10, 20))
    result = latent_upscale(latent, upscale_method="bislerp", width=width, height=height, crop="disabled")
    assert result.samples.shape == (2, 4, *cells)


def test_upscaling_crops_first():
    latent = Latent(noise(1, 4, 8, 16))
    result = latent_upscale(latent, upscale_method="nearest-exact", width=64, height=64, crop="center")
    assert torch.equal(result.samples, latent.samples[..., 4:12])


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 8))
def test_upscaling_by_a_factor_rounds_cells(height, width, factor):
    result = latent_upscale_by(Latent(noise(1, 4, height, width)), upscale_method="bilinear", scale_by=factor)
    assert result.samples.shape[2:] == (max(1, round(height * factor)), max(1, round(width * factor)))


def test_what_travels_along_is_kept():
    latent = Latent(noise(1, 4, 8, 8), noise(1, 64, 64), (3,), {"foreign": 1})
    for result in (
        latent_upscale_by(latent, upscale_method="area", scale_by=2.0),
        latent_upscale(latent, upscale_method="area", width=64, height=128, crop="disabled"),
    ):
        assert result.noise_mask is latent.noise_mask
        assert (result.batch_index, result.extra) == ((3,), {"foreign": 1})


def test_a_part_of_a_batch_keeps_its_places():
    part = latent_from_batch(batch(5), batch_index=1, length=2)
    assert places(part) == [1, 2] and part.batch_index == (1, 2)
    again = latent_from_batch(part, batch_index=1)
    assert places(again) == [2] and again.batch_index == (2,)


@pytest.mark.parametrize(("index", "length", "expected"), [(9, 1, [2]), (1, 64, [1, 2]), (0, 3, [0, 1, 2])])
def test_an_index_behind_the_end_takes_the_last(index, length, expected):
    assert places(latent_from_batch(batch(3), index, length)) == expected


def test_masks_are_taken_with_their_latents():
    masks = torch.arange(2.0).reshape(2, 1, 1)
    part = latent_from_batch(batch(5, noise_mask=masks), 1, 3)
    assert part.noise_mask.flatten().tolist() == [1, 0, 1]
    single = torch.ones(1, 4, 4)
    assert torch.equal(latent_from_batch(batch(5, noise_mask=single), 1, 3).noise_mask, single)


def test_repeating_repeats_latents_and_their_masks():
    masks = torch.arange(2.0).reshape(2, 1, 1)
    result = repeat_latent_batch(batch(3, noise_mask=masks), 2)
    assert places(result) == [0, 1, 2, 0, 1, 2]
    assert result.noise_mask.flatten().tolist() == [0, 1, 0, 0, 1, 0]
    assert result.batch_index is None


def test_each_repetition_gets_noise_of_its_own():
    result = repeat_latent_batch(batch(2, batch_index=(3, 5)), 3)
    assert result.batch_index == (3, 5, 6, 8, 9, 11)


@given(st.integers(1, 5), st.integers(1, 4))
def test_the_first_repetition_is_the_batch(count, amount):
    latent = batch(count)
    part = latent_from_batch(repeat_latent_batch(latent, amount), 0, count)
    assert torch.equal(part.samples, latent.samples)


def test_a_noise_mask_has_a_batch_axis():
    latent = batch(1)
    masked = set_latent_noise_mask(latent, noise(5, 6))
    assert masked.noise_mask.shape == (1, 5, 6)
    assert masked.samples is latent.samples and latent.noise_mask is None
    assert set_latent_noise_mask(latent, noise(2, 5, 6)).noise_mask.shape == (2, 5, 6)
