"""Several seeds at once: what is refused. tests/server/batch/test_together.py compares the pictures."""

import pytest
import torch

from engine.errors import InputError
from nodes.recipes import Latent
from nodes.sampler_seeds import ksampler_seeds, repeated


def latent(count, mask=None):
    return Latent(torch.arange(count * 4.0).reshape(count, 4, 1, 1), noise_mask=mask)


def test_a_latent_is_repeated_whole_with_its_masks():
    masks = torch.tensor([[[0.0]], [[1.0]]])
    found = repeated(latent(2, masks), 3)
    assert torch.equal(found.samples, latent(2).samples.repeat(3, 1, 1, 1))
    assert found.noise_mask.flatten().tolist() == [0, 1] * 3
    one = torch.zeros(1, 1, 1)
    assert repeated(latent(2, one), 3).noise_mask is one


@pytest.mark.parametrize("seeds", [[], [1.5], ["1"], [-1], [2**64], [True]])
def test_what_is_no_list_of_seeds(seeds):
    with pytest.raises(InputError, match="whole numbers"):
        ksampler_seeds(None, None, seeds=seeds, sampler_name="euler", scheduler="normal", positive=None, negative=None,
                       latent_image=latent(1))  # fmt: skip


def test_a_joined_latent_has_a_part_for_each_seed():
    with pytest.raises(InputError, match="no part for each seed"):
        ksampler_seeds(None, None, seeds=[1, 2], sampler_name="euler", scheduler="normal", positive=None,
                       negative=None, latent_image=latent(3), joined=True)  # fmt: skip
