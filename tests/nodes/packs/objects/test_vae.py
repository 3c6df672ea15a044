import pytest
import torch

from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import FileRef, Latent, Vae
from nodes.vae import vae_decode, vae_decode_tiled, vae_encode, vae_encode_tiled

RECIPE = Vae(FileRef("checkpoints", "tiny"))
LATENT, PICTURE = torch.randn(2, 4, 6, 8), torch.rand(1, 12, 18, 3)


@pytest.fixture
def vae():
    return to_foreign("VAE", RECIPE)


def test_pictures_and_latents_are_those_of_our_nodes(ctx, vae):
    assert torch.equal(vae.decode(LATENT), vae_decode(ctx, Latent(LATENT), RECIPE))
    assert torch.equal(vae.encode(PICTURE), vae_encode(ctx, PICTURE, RECIPE).samples)
    assert from_foreign("VAE", vae) == RECIPE


def test_tiles_are_those_of_our_nodes(ctx, vae):
    large, wide = torch.randn(1, 4, 40, 40), torch.rand(1, 80, 80, 3)
    factor = vae.spacial_compression_decode()
    decoded = vae.decode_tiled(large, tile_x=64 // factor, tile_y=64 // factor, overlap=16 // factor)
    assert torch.equal(decoded, vae_decode_tiled(ctx, Latent(large), RECIPE, 64, 16))
    encoded = vae.encode_tiled(wide, tile_x=64, tile_y=64, overlap=16)
    assert torch.equal(encoded, vae_encode_tiled(ctx, wide, RECIPE, 64, 16).samples)
    assert torch.equal(vae.decode_tiled(large), vae_decode_tiled(ctx, Latent(large), RECIPE))
    assert torch.equal(vae.encode_tiled(wide), vae_encode_tiled(ctx, wide, RECIPE).samples)


def test_what_can_be_read(vae):
    assert vae.downscale_ratio == vae.upscale_ratio == vae.spacial_compression_encode() == 2
    assert vae.latent_channels == 4 and vae.output_channels == 3 and vae.latent_dim == 2
    assert vae.vae_dtype == torch.float32 and vae.device.type == vae.output_device.type == "cpu"
    assert vae.vae_encode_crop_pixels(torch.rand(1, 13, 19, 3)).shape == (1, 12, 18, 3)
    assert torch.equal(vae.process_output(vae.process_input(torch.ones(1))), torch.ones(1))
    vae.throw_exception_if_invalid()


@pytest.mark.parametrize("name", ["first_stage_model", "patcher", "memory_used_decode"])
def test_anything_else_is_one_error(vae, name):
    with pytest.raises(NoSuchMember, match=rf"The node Test of Pack uses VAE\.{name}"):
        getattr(vae, name)
