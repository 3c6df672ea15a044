"""Turn latents into pictures and back."""

from typing import TYPE_CHECKING, Annotated

from engine.context import Context
from engine.node import Field, Widget, node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import Latent, Vae

if TYPE_CHECKING:
    from nodes.models import pictures, spaces
else:
    spaces = lazy("nodes.models.spaces")
    pictures = lazy("nodes.models.pictures")


@node("VAEDecode", category="latent", display_name="VAE Decode", resource="gpu", numeric=True)
def vae_decode(ctx: Context, samples: Latent, vae: Vae) -> Image:
    """Turn a latent into pictures."""
    autoencoder = pictures.Pictures(ctx, vae)
    spaces.check(samples, autoencoder.latent, "samples")
    return autoencoder.decode(samples.samples)


@node("VAEEncode", category="latent", display_name="VAE Encode", resource="gpu", numeric=True)
def vae_encode(ctx: Context, pixels: Image, vae: Vae) -> Latent:
    """Turn pictures into a latent."""
    autoencoder = pictures.Pictures(ctx, vae)
    return Latent(autoencoder.encode(pixels), space=autoencoder.latent.space)


TileSide = Annotated[int, Field(ge=64, le=4096), Widget(step=32)]
EncodeTileSide = Annotated[int, Field(ge=64, le=4096), Widget(step=64)]
Overlap = Annotated[int, Field(ge=0, le=4096), Widget(step=32)]
Frames = Annotated[int, Field(ge=8, le=4096), Widget(step=4)]
FrameOverlap = Annotated[int, Field(ge=4, le=4096), Widget(step=4)]


@node("VAEDecodeTiled", category="_for_testing", display_name="VAE Decode (Tiled)", resource="gpu", numeric=True)
def vae_decode_tiled(
    ctx: Context,
    samples: Latent,
    vae: Vae,
    tile_size: TileSide = 512,
    overlap: Overlap = 64,
    temporal_size: Frames = 64,
    temporal_overlap: FrameOverlap = 8,
) -> Image:
    """Turn a latent into pictures, in tiles that need less memory than the whole.

    The mean of three runs with square, wide and high tiles. They overlap by a quarter at most. The temporal sizes are
    for VAEs of videos.
    """
    autoencoder = pictures.Pictures(ctx, vae)
    spaces.check(samples, autoencoder.latent, "samples")
    return autoencoder.decode_tiled(samples.samples, tile_size, overlap)


@node("VAEEncodeTiled", category="_for_testing", display_name="VAE Encode (Tiled)", resource="gpu", numeric=True)
def vae_encode_tiled(
    ctx: Context,
    pixels: Image,
    vae: Vae,
    tile_size: EncodeTileSide = 512,
    overlap: Overlap = 64,
    temporal_size: Frames = 64,
    temporal_overlap: FrameOverlap = 8,
) -> Latent:
    """Turn pictures into a latent, in tiles that need less memory than the whole.

    The mean of three runs with square, wide and high tiles. They overlap by a quarter at most. The temporal sizes are
    for VAEs of videos.
    """
    autoencoder = pictures.Pictures(ctx, vae)
    samples = autoencoder.encode_tiled(pixels, tile_size, overlap)
    return Latent(samples, space=autoencoder.latent.space)
