import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.image_compose import (
    image_blend,
    image_composite_masked,
    image_pad_for_outpaint,
    image_stitch,
    join_image_with_alpha,
    porter_duff_image_composite,
    split_image_with_alpha,
)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestOutpaint:
    def test_the_picture_lies_in_grey_and_the_mask_around_it(self):
        image = noise(2, 6, 8, 3)
        padded, mask = image_pad_for_outpaint(image, 8, 0, 16, 24, 0)
        assert padded.shape == (2, 30, 32, 3) and mask.shape == (1, 30, 32)
        assert torch.equal(padded[:, :6, 8:16], image) and (padded[:, 6:] == 0.5).all()
        assert not mask[:, :6, 8:16].any() and mask.sum() == 30 * 32 - 48

    def test_the_mask_fades_from_enlarged_sides_only(self):
        mask = image_pad_for_outpaint(noise(1, 9, 9, 3), 8, 0, 0, 0, 4).MASK[0, :, 8:]
        assert mask[3].tolist() == [1, 0.5625, 0.25, 0.0625, 0, 0, 0, 0, 0] and torch.equal(mask[0], mask[8])

    def test_too_wide_a_fade_is_left_out(self):
        assert not image_pad_for_outpaint(noise(1, 8, 20, 3), 8, 0, 0, 0, 4).MASK[0, :, 8:].any()


class TestComposite:
    def test_a_mask_says_how_much_shows(self):
        below, above = torch.zeros(1, 4, 4, 3), torch.ones(1, 2, 2, 3)
        mask = torch.tensor([[0.0, 0.25], [0.5, 1.0]])
        found = image_composite_masked(below, above, 2, 1, mask=mask)
        assert torch.equal(found[0, 1:3, 2:, 0], mask) and found.sum() == mask.sum() * 3

    def test_what_hangs_over_is_cut_off(self):
        found = image_composite_masked(torch.zeros(2, 3, 3, 3), torch.ones(1, 3, 3, 3), 2, 2)
        assert found[..., 0].tolist() == [[[0, 0, 0], [0, 0, 0], [0, 0, 1]]] * 2

    def test_the_source_can_be_resized(self):
        found = image_composite_masked(torch.zeros(1, 4, 6, 4), torch.full((1, 2, 2, 3), 0.5), resize_source=True)
        assert torch.equal(found[..., :3], torch.full((1, 4, 6, 3), 0.5)) and found[..., 3].eq(1).all()


class TestStitch:
    @pytest.mark.parametrize(("direction", "axis", "places"), [
        ("right", 2, (0, 1)), ("down", 1, (0, 1)), ("left", 2, (1, 0)), ("up", 1, (1, 0)),
    ])  # fmt: skip
    def test_directions(self, direction, axis, places):
        pair = torch.zeros(1, 4, 4, 3), torch.ones(1, 4, 4, 3)
        expected = torch.cat([pair[place] for place in places], axis)
        assert torch.equal(image_stitch(pair[0], direction, image2=pair[1]), expected)

    def test_one_picture_stays_as_it_is(self):
        image = noise(1, 2, 3, 3)
        assert image_stitch(image) is image

    def test_sizes_match_or_black_is_put_around_the_smaller(self):
        one, two = torch.ones(1, 6, 6, 3), torch.ones(1, 2, 3, 3)
        assert image_stitch(one, image2=two).shape == (1, 6, 15, 3)
        found = image_stitch(one, match_image_size=False, image2=two)
        assert found[0, :, 6:, 0].tolist() == [[0] * 3] * 2 + [[1] * 3] * 2 + [[0] * 3] * 2

    def test_a_bar_between_and_a_shorter_batch(self):
        found = image_stitch(torch.zeros(2, 2, 2, 3), "down", True, 4, "red", torch.ones(1, 2, 2, 3))
        assert found.shape == (2, 8, 2, 3) and found[1, 2:6].reshape(-1, 3).unique(dim=0).tolist() == [[1, 0, 0]]


class TestBlend:
    @pytest.mark.parametrize(("mode", "expected"), [
        ("normal", 0.5), ("multiply", 0.125), ("screen", 0.625), ("overlay", 0.25), ("soft_light", 0.25),
        ("difference", 0.0),
    ])  # fmt: skip
    def test_modes(self, mode, expected):
        first, second = torch.full((1, 2, 2, 3), 0.25), torch.full((1, 2, 2, 3), 0.5)
        assert image_blend(first, second, 1.0, blend_mode=mode).unique().tolist() == [expected]

    @given(st.sampled_from(["multiply", "screen", "overlay", "soft_light", "difference"]), st.floats(0, 1))
    def test_a_mix_stays_in_range_and_nothing_mixed_in_changes_nothing(self, mode, factor):
        first, second = noise(2, 3, 4, 3), noise(1, 5, 2, 3, seed=1)
        mixed = image_blend(first, second, factor, blend_mode=mode)
        assert mixed.shape == first.shape and mixed.min() >= 0 and mixed.max() <= 1
        torch.testing.assert_close(image_blend(first, second, 0.0, blend_mode=mode), first)


class TestAlpha:
    def test_joining_and_splitting_are_inverse(self):
        image, mask = noise(2, 3, 4, 3), noise(2, 3, 4, seed=1)
        colours, found = split_image_with_alpha(join_image_with_alpha(image, mask))
        assert torch.equal(colours, image)
        torch.testing.assert_close(found, mask)

    def test_a_picture_without_alpha_is_opaque(self):
        assert not split_image_with_alpha(noise(1, 2, 2, 3)).MASK.any()


class TestPorterDuff:
    SOURCE, BELOW = torch.full((1, 2, 2, 3), 0.8), torch.full((1, 2, 2, 3), 0.4)

    @pytest.mark.parametrize(("mode", "colour", "alpha"), [
        ("SRC", 0.8, 0.5), ("DST", 0.4, 1.0), ("CLEAR", 0.0, 0.0), ("SRC_OVER", 0.6, 1.0), ("DST_OVER", 0.4, 1.0),
        ("SRC_IN", 0.8, 0.5), ("DST_IN", 0.4, 0.5), ("SRC_OUT", 0.0, 0.0), ("DST_OUT", 0.4, 0.5),
        ("SRC_ATOP", 0.6, 1.0), ("DST_ATOP", 0.4, 0.5), ("XOR", 0.4, 0.5), ("ADD", 0.8, 1.0),
        ("MULTIPLY", 0.32, 0.5), ("SCREEN", 0.64, 1.0), ("DARKEN", 0.6, 1.0), ("LIGHTEN", 0.6, 1.0),
        ("OVERLAY", 0.52, 1.0),
    ])  # fmt: skip
    def test_a_half_transparent_source_on_an_opaque_destination(self, mode, colour, alpha):
        half, opaque = torch.full((1, 2, 2), 0.5), torch.zeros(1, 2, 2)
        found, mask = porter_duff_image_composite(self.SOURCE, half, self.BELOW, opaque, mode)
        torch.testing.assert_close(found, torch.full((1, 2, 2, 3), colour))
        torch.testing.assert_close(mask, torch.full((1, 2, 2), 1 - alpha))

    @given(st.sampled_from(["SRC_OVER", "XOR", "OVERLAY", "LIGHTEN", "DST_ATOP"]), st.integers(0, 5))
    def test_any_sizes_give_the_size_of_the_destination(self, mode, seed):
        source, below = noise(1, 3, 5, 3, seed=seed), noise(2, 4, 4, 3)
        found, mask = porter_duff_image_composite(source, noise(1, 6, 6), below, noise(1, 4, 4), mode)
        assert found.shape == (2, 4, 4, 3) and mask.shape == (2, 4, 4)
        assert found.min() >= 0 and found.max() <= 1 and mask.min() >= 0 and mask.max() <= 1
