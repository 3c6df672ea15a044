"""Load masks from pictures, and show them."""

from typing import Annotated, Literal

from engine.context import Context
from engine.node import InputFile, Shown, Widget, node
from engine.types import Mask
from nodes.image import load_image, preview_image
from nodes.mask import mask_to_image


@node("LoadImageMask", category="mask", display_name="Load Image (as Mask)")
def load_image_mask(
    ctx: Context,
    image: Annotated[str, InputFile(), Widget(image_upload=True)],
    channel: Literal["alpha", "red", "green", "blue"],
) -> Mask:
    """Load one channel of a picture as a mask; alpha is bright where the picture is transparent.

    Without transparency the alpha mask is zeros of 64 x 64.
    """
    loaded = load_image(ctx, image)
    if channel == "alpha":
        return loaded.MASK
    return loaded.IMAGE[..., ("red", "green", "blue").index(channel)].clone()


@node("MaskPreview", category="mask", output_node=True)
def mask_preview(mask: Mask) -> Shown[None]:
    """Show masks in grey without keeping them: the files go to the temporary folder."""
    return preview_image(mask_to_image(mask))
