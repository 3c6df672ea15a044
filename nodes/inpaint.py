"""Prepare pictures to be repainted under a mask."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine.context import Context
from engine.node import Field, Widget, node
from engine.types import Image, Mask, Tensor
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Latent, Vae

if TYPE_CHECKING:
    import torch

    from nodes.models import pictures
    from nodes.pixels import masks, resize
    from nodes.sampling import regions
else:
    torch = lazy("torch")
    pictures = lazy("nodes.models.pictures")
    masks = lazy("nodes.pixels.masks")
    resize = lazy("nodes.pixels.resize")
    regions = lazy("nodes.sampling.regions")


class Prepared(NamedTuple):
    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(
    "VAEEncodeForInpaint",
    category="latent/inpaint",
    display_name="VAE Encode (for Inpainting)",
    resource="gpu",
    numeric=True,
)
def vae_encode_for_inpaint(
    ctx: Context,
    pixels: Image,
    vae: Vae,
    mask: Mask,
    grow_mask_by: Annotated[int, Field(ge=0, le=64), Widget(step=1)] = 6,
) -> Latent:
    """Encode pictures with what a mask hides in grey, to be sampled there and a little around it."""
    autoencoder = pictures.Pictures(ctx, vae)
    mask = _over(pixels, mask)
    pixels, mask = autoencoder.crop(pixels), autoencoder.crop(mask)
    samples, grown = autoencoder.encode(masks.hidden(pixels, mask)), masks.grow_box(mask.round(), grow_mask_by)
    return Latent(samples, grown, space=autoencoder.latent.space)


@node("InpaintModelConditioning", category="conditioning/inpaint", resource="gpu", numeric=True)
def inpaint_model_conditioning(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    pixels: Image,
    mask: Mask,
    noise_mask: bool = True,
) -> Prepared:
    """Show an inpainting model the picture and the mask; without a noise mask all of the picture is sampled anew."""
    autoencoder = pictures.Pictures(ctx, vae)
    mask = _over(pixels, mask)
    pixels, mask = autoencoder.crop(pixels), autoencoder.crop(mask)
    shown = {"concat_latent_image": autoencoder.encode(masks.hidden(pixels, mask)), "concat_mask": mask}

    def given(conditioning: Conditioning) -> Conditioning:
        entries = (replace(cond, options={**cond.options, **shown}) for cond in conditioning.entries)
        return Conditioning(tuple(entries))

    latent = Latent(autoencoder.encode(pixels), mask if noise_mask else None, space=autoencoder.latent.space)
    return Prepared(given(positive), given(negative), latent)


@node("InstructPixToPixConditioning", category="conditioning/instructpix2pix", resource="gpu", numeric=True)
def instruct_pix_to_pix_conditioning(
    ctx: Context, positive: Conditioning, negative: Conditioning, vae: Vae, pixels: Image
) -> Prepared:
    """Show an editing model the picture that a prompt is to change; the latent is empty and of its size.

    Brooks et al. (2022), arXiv 2211.09800. Not compared with the reference.
    """
    autoencoder = pictures.Pictures(ctx, vae)
    shown = autoencoder.encode(pixels)

    def given(conditioning: Conditioning) -> Conditioning:
        options = {"concat_latent_image": shown}
        return Conditioning(tuple(replace(c, options={**c.options, **options}) for c in conditioning.entries))

    latent = Latent(torch.zeros_like(shown), space=autoencoder.latent.space)
    return Prepared(given(positive), given(negative), latent)


def _over(pixels: Tensor, mask: Tensor) -> Tensor:
    """Return a mask for each picture, in its size, not rounded."""
    resized = regions.resized_mask(mask.reshape(-1, *mask.shape[-2:]), *pixels.shape[1:3])
    return resize.cycled(resized, len(pixels))
