import torch

from nodes.sampling.inpaint import Inpaint, latent_mask
from nodes.sampling.noise import Noise
from nodes.sampling.process import FLOW
from nodes.sampling.solvers.euler import euler
from tests.nodes.sampling.gaussian import Gaussian, no_noise

GENERATOR = torch.Generator().manual_seed(0)
LATENT, NOISE, X = (torch.randn(2, 4, 8, 8, generator=GENERATOR) for _ in range(3))
LEFT = torch.zeros(2, 1, 8, 8)
LEFT[..., :4] = 1
SIGMA = torch.tensor(2.0)


class Seen(Gaussian):
    def __call__(self, x, sigma):
        self.x = x
        return super().__call__(x, sigma)


def test_the_outside_is_the_noised_latent_on_the_way_in_and_the_latent_on_the_way_out():
    inner = Seen()
    out = Inpaint(inner, LEFT, LATENT, NOISE)(X, SIGMA)
    assert torch.equal(inner.x[..., :4], X[..., :4])
    torch.testing.assert_close(inner.x[..., 4:], (LATENT + NOISE * 2)[..., 4:])
    assert torch.equal(out[..., 4:], LATENT[..., 4:])
    assert torch.equal(out[..., :4], Gaussian()(X, SIGMA)[..., :4])


def test_grey_masks_blend():
    out = Inpaint(Gaussian(), torch.full((2, 1, 8, 8), 0.25), LATENT, NOISE)(LATENT, SIGMA)
    inner = Gaussian()(LATENT * 0.25 + (LATENT + NOISE * 2) * 0.75, SIGMA)
    torch.testing.assert_close(out, inner * 0.25 + LATENT * 0.75)


def test_the_unconditional_prediction_is_not_blended():
    denoised, uncond = Inpaint(Gaussian(), LEFT, LATENT, NOISE).both(X, SIGMA)
    assert torch.equal(denoised[..., 4:], LATENT[..., 4:])
    assert not torch.equal(uncond[..., 4:], LATENT[..., 4:])


def test_flows_mix_the_background():
    inner = Seen(FLOW)
    Inpaint(inner, LEFT * 0, LATENT, NOISE, FLOW)(X, torch.tensor(0.25))
    torch.testing.assert_close(inner.x, 0.75 * LATENT + 0.25 * NOISE)


def test_a_run_under_a_mask_keeps_the_outside():
    sigmas = torch.tensor([10.0, 3.0, 1.0, 0.0])
    noise: Noise = no_noise()
    out = euler(Inpaint(Gaussian(), LEFT, LATENT, NOISE), LATENT + NOISE * 10, sigmas, noise)
    torch.testing.assert_close(out[..., 4:], LATENT[..., 4:], rtol=1e-4, atol=1e-4)
    assert (out[..., :4] - LATENT[..., :4]).abs().max() > 0.1


def test_masks_take_the_latents_shape():
    mask = torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(1))
    assert latent_mask(mask, LATENT).shape == (2, 1, 8, 8)
    assert latent_mask(mask[:, None], LATENT).shape == (2, 1, 8, 8)
    assert latent_mask(mask, torch.zeros(2, 16, 5, 8, 8)).shape == (2, 1, 1, 8, 8)
    assert torch.equal(latent_mask(mask.expand(3, -1, -1), LATENT)[0], latent_mask(mask, LATENT)[0])
