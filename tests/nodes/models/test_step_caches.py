import logging

import pytest
import torch

from nodes.model_guidance import perturbed_attention_guidance
from nodes.recipes import Latent
from nodes.sampler import ksampler
from nodes.step_caching import easy_cache, lazy_cache
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE


def sampled(ctx, model, steps=12, sampler="euler", mask=None):
    start = Latent(torch.full((1, 4, 8, 8), 0.1), mask)
    sides = {"positive": POSITIVE, "negative": NEGATIVE, "latent_image": start}
    named = {"sampler_name": sampler, "scheduler": "normal"}
    return ksampler(ctx, model, seed=3, steps=steps, cfg=2.5, **sides, **named).samples


@pytest.fixture(scope="module")
def plain(ctx):
    return sampled(ctx, MODEL)


def reused(caplog):
    return sum("is made of the last prediction" in text for text in caplog.messages)


@pytest.mark.parametrize("node", [easy_cache, lazy_cache])
class TestCaching:
    def test_a_threshold_of_nothing_changes_no_bit(self, ctx, plain, node):
        assert torch.equal(sampled(ctx, node(MODEL, 0.0)), plain)

    def test_steps_are_skipped_and_the_picture_changes(self, ctx, plain, node, caplog):
        with caplog.at_level(logging.INFO, "loomis.cache"):
            found = sampled(ctx, node(MODEL, 3.0, verbose=True))
        assert found.isfinite().all() and not torch.equal(found, plain)
        assert reused(caplog) and len(caplog.messages) == 12
        assert torch.equal(sampled(ctx, node(MODEL, 3.0)), found)

    def test_out_of_its_range_nothing_is_skipped(self, ctx, plain, node):
        assert torch.equal(sampled(ctx, node(MODEL, 3.0, 0.9, 0.1)), plain)

    @pytest.mark.parametrize("sampler", ["heun", "euler_ancestral_cfg_pp", "dpmpp_2m"])
    def test_it_goes_with_other_samplers_masks_and_guidance(self, ctx, node, sampler):
        model = perturbed_attention_guidance(node(MODEL, 0.5))
        mask = torch.ones(1, 8, 8)
        mask[:, :, 4:] = 0
        found = sampled(ctx, model, 4, sampler, mask)
        assert found.isfinite().all()
        torch.testing.assert_close(found[..., 4:], torch.full((1, 4, 8, 4), 0.1), atol=1e-4, rtol=1e-4)


def test_easy_cache_skips_the_network(ctx, caplog):
    with caplog.at_level(logging.INFO, "loomis.cache"):
        both = sampled(ctx, lazy_cache(easy_cache(MODEL, 3.0, verbose=True), 0.0, verbose=True))
    assert torch.equal(both, sampled(ctx, easy_cache(MODEL, 3.0)))
    assert 0 < reused(caplog) < 12 and len(caplog.messages) == 24
