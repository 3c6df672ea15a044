"""Turn latents into pictures and back."""

from typing import TYPE_CHECKING

from engine.context import Context
from engine.node import node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import Latent, Vae

if TYPE_CHECKING:
    from nodes.models import service, spaces
else:
    spaces = lazy("nodes.models.spaces")
    service = lazy("nodes.models.service")


@node("VAEDecode", category="latent", display_name="VAE Decode", resource="gpu", numeric=True)
def vae_decode(ctx: Context, samples: Latent, vae: Vae) -> Image:
    """Turn a latent into pictures."""
    autoencoder = ctx.use(service.pool).vae(vae)
    spaces.check(samples, autoencoder.latent, "samples")
    return autoencoder.decode(samples.samples)


@node("VAEEncode", category="latent", display_name="VAE Encode", resource="gpu", numeric=True)
def vae_encode(ctx: Context, pixels: Image, vae: Vae) -> Latent:
    """Turn pictures into a latent."""
    autoencoder = ctx.use(service.pool).vae(vae)
    return Latent(autoencoder.encode(pixels), space=autoencoder.latent.space)
