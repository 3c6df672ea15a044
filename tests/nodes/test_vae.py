import torch

from nodes.recipes import FileRef, Latent, Vae
from nodes.vae import vae_decode, vae_decode_tiled, vae_encode, vae_encode_tiled

VAE = Vae(FileRef("vae", "alone"))


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_one_tile_is_the_whole(ctx):
    latent, pixels = Latent(noise(2, 4, 12, 10)), noise(2, 20, 24, 3)
    torch.testing.assert_close(vae_decode_tiled(ctx, latent, VAE), vae_decode(ctx, latent, VAE))
    torch.testing.assert_close(vae_encode_tiled(ctx, pixels, VAE).samples, vae_encode(ctx, pixels, VAE).samples)


def test_tiles_have_the_size_of_the_whole(ctx):
    picture = vae_decode_tiled(ctx, Latent(noise(1, 4, 40, 70)), VAE, tile_size=64, overlap=32)
    assert picture.shape == (1, 80, 140, 3)
    latent = vae_encode_tiled(ctx, noise(1, 81, 141, 4), VAE, tile_size=64, overlap=4096)
    assert latent.samples.shape == (1, 4, 40, 70)
