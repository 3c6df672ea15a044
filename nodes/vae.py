"""Turn latents into pictures and back."""

from typing import TYPE_CHECKING

from engine.context import Context
from engine.node import node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import Latent, Vae

if TYPE_CHECKING:
    from nodes.models import service
else:
    service = lazy("nodes.models.service")


@node("VAEDecode", category="latent", display_name="VAE Decode", resource="gpu", numeric=True)
def vae_decode(ctx: Context, samples: Latent, vae: Vae) -> Image:
    """Turn a latent into pictures."""
    return ctx.use(service.pool).vae(vae).decode(samples.samples)


@node("VAEEncode", category="latent", display_name="VAE Encode", resource="gpu", numeric=True)
def vae_encode(ctx: Context, pixels: Image, vae: Vae) -> Latent:
    """Turn pictures into a latent."""
    return Latent(ctx.use(service.pool).vae(vae).encode(pixels))
