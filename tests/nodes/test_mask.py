import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from nodes.mask import (
    crop_mask,
    feather_mask,
    grow_mask,
    image_color_to_mask,
    image_to_mask,
    invert_mask,
    mask_composite,
    mask_to_image,
    solid_mask,
    threshold_mask,
)


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_solid_mask():
    mask = solid_mask(0.25, width=3, height=2)
    assert mask.tolist() == [[[0.25] * 3] * 2] and mask.dtype == torch.float32


@given(st.integers(0, 255))
def test_inverting_twice_is_the_identity(level):
    mask = solid_mask(level / 255, 2, 2)
    assert torch.allclose(invert_mask(invert_mask(mask)), mask, atol=1e-7)


def test_growing_a_single_mask_gives_a_batch_of_one():
    mask = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert grow_mask(mask, 1).tolist() == [[[0, 1, 0], [1, 1, 1], [0, 1, 0]]]
    assert grow_mask(mask, 1, tapered_corners=False).tolist() == [[[1] * 3] * 3]
    assert grow_mask(mask, -1).tolist() == [[[0] * 3] * 3]


@given(st.integers(0, 3), st.booleans())
def test_growing_then_shrinking_never_loses_a_bright_pixel(cells, tapered):
    mask = threshold_mask(noise(2, 6, 7))
    closed = grow_mask(grow_mask(mask, cells, tapered), -cells, tapered)
    assert bool((closed >= mask).all())


def test_threshold_is_strict():
    assert threshold_mask(torch.tensor([[[0.4, 0.5, 0.6]]]), 0.5).tolist() == [[[0, 0, 1]]]


def test_crop():
    mask = noise(2, 5, 7)
    assert torch.equal(crop_mask(mask, x=4, y=1, width=2, height=3), mask[:, 1:4, 4:6])
    assert torch.equal(crop_mask(mask, x=5, y=3), mask[:, 3:, 5:])


def test_a_crop_outside_is_an_error():
    with pytest.raises(InputError, match="outside the mask") as caught:
        crop_mask(noise(1, 5, 7), x=7)
    assert caught.value.got == "the corner (7, 0) in a mask of 7 x 5 pixels"


def test_a_mask_as_a_picture_and_back():
    mask = noise(2, 3, 4)
    image = mask_to_image(mask)
    assert image.shape == (2, 3, 4, 3)
    assert all(torch.equal(image_to_mask(image, channel), mask) for channel in ("red", "green", "blue"))


def test_channels():
    image = noise(1, 2, 2, 4)
    assert torch.equal(image_to_mask(image, "blue"), image[..., 2])
    assert torch.equal(image_to_mask(image, "alpha"), image[..., 3])


def test_a_picture_without_alpha_has_no_alpha_mask():
    with pytest.raises(InputError, match="no alpha channel"):
        image_to_mask(noise(1, 2, 2, 3), "alpha")


def test_composite_lays_one_mask_over_a_part_of_another():
    result = mask_composite(solid_mask(0.5, 3, 2), solid_mask(1.0, 1, 1), x=2, y=1, operation="subtract")
    assert result.tolist() == [[[0.5, 0.5, 0.5], [0.5, 0.5, 0]]]


def test_composite_of_batches_of_different_size_is_an_error():
    with pytest.raises(InputError, match="different size") as caught:
        mask_composite(noise(2, 2, 2), noise(3, 2, 2), operation="add")
    assert caught.value.got == "3 masks onto 2"


@pytest.mark.parametrize("operation", ["and", "or", "multiply"])
def test_composite_with_itself(operation):
    mask = threshold_mask(noise(2, 4, 4))
    assert torch.equal(mask_composite(mask, mask, operation=operation), mask)


def test_a_colour_becomes_a_mask():
    image = torch.tensor([[[[1.0, 0.5, 0.0], [1.0, 128 / 255, 0.0]], [[1, 0.6, 0], [0, 0, 0]]]])
    assert image_color_to_mask(image, 0xFF8000).tolist() == [[[1, 1], [0, 0]]]


def test_feathering_fades_to_each_border():
    mask = feather_mask(torch.ones(5, 4), left=2, bottom=4)
    assert mask.shape == (1, 5, 4)
    assert mask[0, 0].tolist() == [0.5, 1, 1, 1] and mask[0, :, 3].tolist() == [1, 1, 0.75, 0.5, 0.25]
    assert torch.equal(feather_mask(torch.ones(1, 5, 4)), torch.ones(1, 5, 4))
