from functools import partial

import pytest
import torch

from nodes.inpaint import inpaint_model_conditioning, instruct_pix_to_pix_conditioning, vae_encode_for_inpaint
from nodes.models.service import pool
from nodes.recipes import Cond, Conditioning, FileRef, Model, Vae
from nodes.sampler import ksampler
from tests.nodes.calls import model_context
from tests.nodes.models import tiny

VAE = Vae(FileRef("vae", "alone"))
PIXELS = torch.rand(2, 16, 12, 3, generator=torch.Generator().manual_seed(0))
PROMPT = Conditioning((Cond(torch.zeros(1, 7, 32), options={"strength": 0.5}),))


def square(size=(16, 12)):
    mask = torch.zeros(1, *size)
    mask[:, 4:8, 4:8] = 1
    return mask


def test_what_is_hidden_does_not_reach_the_latent(ctx):
    grey = PIXELS.clone()
    grey[:, 4:8, 4:8] = 0.5
    latent = vae_encode_for_inpaint(ctx, PIXELS, VAE, square(), 0)
    assert torch.equal(latent.samples, ctx.use(pool).vae(VAE).encode(grey))
    assert torch.equal(latent.noise_mask, square().expand(2, 16, 12))


@pytest.mark.parametrize(("by", "first", "last"), [(1, 4, 7), (2, 4, 8), (3, 3, 8), (6, 2, 10)])
def test_the_noise_mask_grows_into_squares(ctx, by, first, last):
    rows = vae_encode_for_inpaint(ctx, PIXELS, VAE, square(), by).noise_mask[0].amax(dim=1).nonzero().flatten()
    assert (rows[0], rows[-1]) == (first, last)


def test_masks_of_another_size_are_fitted_and_rounded(ctx):
    latent = vae_encode_for_inpaint(ctx, PIXELS, VAE, square((32, 24))[0] * 0.75, 0)
    expected = torch.zeros(16, 12)
    expected[2:4, 2:4] = 1
    assert torch.equal(latent.noise_mask[1], expected)


def test_picture_and_mask_are_cut_alike(ctx):
    wide = torch.rand(1, 17, 13, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(1, 17, 13, generator=torch.Generator().manual_seed(1))
    latent = vae_encode_for_inpaint(ctx, wide, VAE, mask, 0)
    cut = vae_encode_for_inpaint(ctx, wide[:, :16, :12], VAE, mask[:, :16, :12], 0)
    assert latent.noise_mask.shape == (1, 16, 12)
    assert torch.equal(latent.noise_mask, cut.noise_mask) and torch.equal(latent.samples, cut.samples)


@pytest.mark.parametrize("masked", [True, False])
def test_an_inpainting_model_is_shown_picture_and_mask(ctx, masked):
    positive, negative, latent = inpaint_model_conditioning(ctx, PROMPT, PROMPT, VAE, PIXELS, square(), masked)
    shown = vae_encode_for_inpaint(ctx, PIXELS, VAE, square(), 0)
    for side in (positive, negative):
        options = side.entries[0].options
        assert options["strength"] == 0.5
        assert torch.equal(options["concat_latent_image"], shown.samples)
        assert torch.equal(options["concat_mask"], shown.noise_mask)
    assert torch.equal(latent.samples, ctx.use(pool).vae(VAE).encode(PIXELS))
    assert torch.equal(latent.noise_mask, shown.noise_mask) if masked else latent.noise_mask is None


def test_an_editing_model_is_shown_the_picture(ctx, tmp_path):
    positive, negative, latent = instruct_pix_to_pix_conditioning(ctx, PROMPT, PROMPT, VAE, PIXELS)
    encoded = ctx.use(pool).vae(VAE).encode(PIXELS)
    for side in (positive, negative):
        assert side.entries[0].options["strength"] == 0.5
        assert torch.equal(side.entries[0].options["concat_latent_image"], encoded)
    assert latent.samples.shape == encoded.shape and not latent.samples.any() and latent.noise_mask is None
    wide = {**tiny.UNET, "in_channels": 8}
    tiny.write(tmp_path / "checkpoints" / "edit", tiny.tensors(*tiny.modules(unet=wide)))
    run = partial(
        ksampler, model_context(tmp_path), Model(FileRef("checkpoints", "edit")), seed=3, steps=1, cfg=2.0,
        sampler_name="euler", scheduler="normal", negative=negative, latent_image=latent,
    )  # fmt: skip
    assert not torch.equal(run(positive=positive).samples, run(positive=PROMPT).samples)
