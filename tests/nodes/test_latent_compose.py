import pytest
import torch

from engine.errors import InputError
from nodes.latent_compose import (
    latent_batch,
    latent_blend,
    latent_composite,
    latent_composite_masked,
    latent_concat,
    latent_cut,
    rebatch_latents,
)
from nodes.recipes import Latent


def flat(value, count=1, height=8, width=8, **more):
    return Latent(torch.full((count, 4, height, width), float(value)), **more)


def test_a_composite_lies_at_a_place_in_pixels():
    result = latent_composite(flat(0), flat(1, height=4, width=4), x=17, y=32).samples[0, 0]
    expected = torch.zeros(8, 8)
    expected[4:, 2:6] = 1
    assert torch.equal(result, expected)


def test_a_feather_fades_a_composite():
    result = latent_composite(flat(0), flat(1, height=4), x=0, y=16, feather=16).samples[0, 0, :, 0]
    assert result.tolist() == [0, 0, 0.5, 1, 1, 0.5, 0, 0]


def test_a_composite_beyond_the_border_changes_nothing():
    below = flat(0)
    assert torch.equal(latent_composite(below, flat(1), x=64, y=0).samples, below.samples)


def test_a_composite_keeps_what_the_lower_latent_carries():
    below = flat(0, noise_mask=torch.ones(1, 8, 8), batch_index=(3,), extra={"foreign": 1})
    for result in (latent_composite(below, flat(1)), latent_composite_masked(below, flat(1))):
        assert (result.noise_mask is below.noise_mask, result.batch_index, result.extra) == (True, (3,), {"foreign": 1})


def test_a_mask_belongs_to_the_source():
    mask = torch.zeros(32, 32)
    mask[:, 16:] = 1
    result = latent_composite_masked(flat(0), flat(1, height=4, width=4), x=32, y=0, mask=mask).samples[0, 0]
    assert result[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert not result[4:].any()


def test_a_source_can_take_the_size_of_the_destination():
    result = latent_composite_masked(flat(0), flat(1, height=3, width=5), resize_source=True)
    assert result.samples.unique().tolist() == [1]


@pytest.mark.parametrize(("factor", "value"), [(1.0, 4), (0.25, 7), (0.0, 8)])
def test_blending(factor, value):
    assert latent_blend(flat(4), flat(8), factor).samples.unique().tolist() == [value]


def test_blending_takes_size_and_batch_of_the_first():
    result = latent_blend(flat(4, count=3), flat(8, count=2, height=5, width=20), 0.5).samples
    assert result.shape == (3, 4, 8, 8)
    torch.testing.assert_close(result, torch.full_like(result, 6))


def test_batches_keep_their_places():
    result = latent_batch(flat(1, count=2, batch_index=(5, 7)), flat(2, height=4))
    assert result.samples[:, 0, 0, 0].tolist() == [1, 1, 2]
    assert result.batch_index == (5, 7, 0)


class TestAlongAnAxis:
    def test_latents_are_put_side_by_side(self):
        first, second = Latent(torch.zeros(2, 4, 2, 3)), Latent(torch.ones(1, 4, 2, 1))
        assert latent_concat(first, second, "x").samples[1, 0].tolist() == [[0, 0, 0, 1]] * 2
        assert latent_concat(first, second, "-x").samples[1, 0].tolist() == [[1, 0, 0, 0]] * 2
        below = latent_concat(first, Latent(torch.ones(1, 4, 1, 3)), "y").samples
        assert below.shape == (2, 4, 3, 3) and below[0, 0, 2].tolist() == [1, 1, 1]

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(InputError, match="do not fit"):
            latent_concat(Latent(torch.zeros(1, 4, 2, 3)), Latent(torch.zeros(1, 4, 3, 3)), "x")
        with pytest.raises(InputError, match="no time axis"):
            latent_cut(Latent(torch.zeros(1, 4, 2, 3)), "t")

    @pytest.mark.parametrize(("index", "amount", "columns"), [(1, 2, [1, 2]), (-1, 5, [4]), (9, 1, [4]), (-9, 1, [0])])
    def test_columns_are_cut_out(self, index, amount, columns):
        samples = torch.arange(5.0).expand(1, 4, 2, 5)
        assert latent_cut(Latent(samples), "x", index, amount).samples[0, 0, 0].tolist() == columns

    def test_frames_of_a_video(self):
        video = Latent(torch.arange(3.0).view(1, 1, 3, 1, 1).expand(1, 4, 3, 2, 2))
        assert latent_cut(video, "t", 1, 1).samples.unique().tolist() == [1]
        assert latent_concat(video, video, "t").samples.shape == (1, 4, 6, 2, 2)


class TestRebatching:
    def test_the_order_and_the_noise_of_each_are_kept(self):
        latents = [Latent(torch.full((count, 4, 2, 2), float(count))) for count in (1, 3)]
        found = rebatch_latents(latents, [2])
        assert [len(latent.samples) for latent in found] == [2, 2]
        assert torch.cat([latent.samples for latent in found])[:, 0, 0, 0].tolist() == [1, 3, 3, 3]
        assert [latent.batch_index for latent in found] == [(0, 0), (1, 2)]

    def test_unlike_latents_are_not_mixed(self):
        plain, masked = Latent(torch.zeros(1, 4, 2, 2)), Latent(torch.zeros(2, 4, 2, 2), torch.ones(1, 16, 16))
        found = rebatch_latents([plain, masked, Latent(torch.zeros(1, 4, 3, 3))], [8])
        assert [latent.samples.shape[0] for latent in found] == [1, 2, 1]
        assert found[1].noise_mask.shape == (2, 16, 16) and found[0].noise_mask is None
