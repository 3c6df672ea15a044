import pytest
import torch

from engine.errors import InputError
from engine.values import pack
from nodes.guiders import cfg_guider
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import Latent, NoiseSource, Sampler
from nodes.sampler import sampler_custom_advanced
from nodes.sampling.noise import starting_noise
from nodes.sigmas import basic_scheduler
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE


class Doubled:
    seed = 5

    def generate_noise(self, latent):
        return starting_noise(self.seed, latent["samples"].shape, latent.get("batch_index")) * 2


def run(ctx, source, latent):
    guider, sigmas = (
        cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5),
        basic_scheduler(ctx, MODEL, scheduler="normal", steps=1),
    )
    return sampler_custom_advanced(ctx, source, guider, Sampler("euler"), sigmas, latent).output.samples


@pytest.mark.parametrize("source", [NoiseSource(7), NoiseSource(0, starts=False)])
def test_noise_goes_through_and_draws_what_ours_draws(source):
    noise = to_foreign("NOISE", source)
    assert pack(from_foreign("NOISE", noise)).digest == pack(source).digest
    drawn = noise.generate_noise({"samples": torch.zeros(2, 4, 6, 6), "batch_index": [0, 3]})
    expected = starting_noise(7, (2, 4, 6, 6), (0, 3)) if source.starts else torch.zeros(2, 4, 6, 6)
    assert torch.equal(drawn, expected) and noise.seed == source.seed


def test_noise_of_foreign_code_starts_a_run(ctx):
    mine = Doubled()
    source = from_foreign("NOISE", mine)
    assert to_foreign("NOISE", source) is mine
    latent = Latent(torch.zeros(1, 4, 16, 16))
    found = run(ctx, source, latent)
    assert not torch.equal(found, run(ctx, NoiseSource(5), latent))
    mine.generate_noise = lambda latent: starting_noise(5, latent["samples"].shape)
    assert torch.equal(run(ctx, source, latent), run(ctx, NoiseSource(5), latent))


def test_noise_of_another_shape_is_an_error(ctx):
    mine = Doubled()
    mine.generate_noise = lambda latent: torch.zeros(1, 4, 2, 2)
    with pytest.raises(InputError, match="not of the latent's shape"):
        run(ctx, from_foreign("NOISE", mine), Latent(torch.zeros(1, 4, 16, 16)))
    with pytest.raises(InputError, match="a NOISE that is none"):
        from_foreign("NOISE", 5)
