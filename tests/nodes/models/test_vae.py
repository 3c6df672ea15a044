import pytest
import torch

from engine.errors import InputError
from nodes.models.families.checkpoint import LatentFormat
from nodes.models.vae import Autoencoder
from tests.nodes.models import tiny


@pytest.fixture(scope="module")
def vae() -> Autoencoder:
    return Autoencoder(tiny.modules()[1], LatentFormat(4, 2, 0.5, ()))


def test_encoding_gives_the_mean_of_the_posterior(vae: Autoencoder) -> None:
    pixels = torch.rand(2, 16, 12, 3)
    latents = vae.encode(pixels)
    assert latents.shape == (2, 4, 8, 6)
    moments = vae.module.encode(pixels.movedim(-1, 1) * 2 - 1).latent_dist
    assert torch.allclose(latents, moments.mean, atol=1e-5)
    assert torch.equal(latents, vae.encode(pixels))


def test_encoding_cuts_the_borders_and_drops_alpha(vae: Autoencoder) -> None:
    pixels = torch.rand(1, 17, 13, 4)
    assert torch.equal(vae.encode(pixels), vae.encode(pixels[:, 0:16, 0:12, :3]))


def test_a_batch_gives_the_numbers_of_single_runs(vae: Autoencoder) -> None:
    samples = torch.randn(3, 4, 4, 6)
    pictures = vae.decode(samples)
    assert pictures.shape == (3, 8, 12, 3)
    assert torch.equal(pictures[1:2], vae.decode(samples[1:2]))


def test_decoding_gives_pictures_between_0_and_1(vae: Autoencoder) -> None:
    loud = tiny.modules()[1]
    loud.decoder.conv_out.weight *= 50
    pictures = Autoencoder(loud, vae.latent).decode(torch.randn(1, 4, 4, 4))
    assert (pictures.min(), pictures.max()) == (0, 1)
    raw = vae.module.decode(torch.zeros(1, 4, 4, 4)).sample
    expected = ((raw + 1) / 2).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(vae.decode(torch.zeros(1, 4, 4, 4)), expected, rtol=1e-5, atol=1e-6)


def test_latents_of_another_family_are_an_error(vae: Autoencoder) -> None:
    with pytest.raises(InputError, match="not of the family of this VAE"):
        vae.decode(torch.zeros(1, 16, 4, 4))


def test_a_picture_below_one_cell_is_an_error(vae: Autoencoder) -> None:
    with pytest.raises(InputError, match="too small"):
        vae.encode(torch.zeros(1, 1, 8, 3))
