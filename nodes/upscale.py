"""Enlarge pictures with a network."""

from typing import TYPE_CHECKING, Annotated

from engine.context import Context
from engine.errors import InputError
from engine.node import Files, node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import FileRef, UpscaleModel

if TYPE_CHECKING:
    from nodes.models import pictures, service
else:
    pictures = lazy("nodes.models.pictures")
    service = lazy("nodes.models.service")

FOLDER = "upscale_models"


@node("UpscaleModelLoader", version=2, category="loaders", display_name="Load Upscale Model", resource="io")
def upscale_model_loader(ctx: Context, model_name: Annotated[str, Files(FOLDER)]) -> UpscaleModel:
    """Load a network that enlarges pictures. Its weights are read when a node uses it."""
    model = UpscaleModel(FileRef(FOLDER, ctx.fingerprint(FOLDER, model_name)))
    ctx.use(service.pool).check_upscaler(model)
    return model


@node(
    "ImageUpscaleWithModel",
    version=2,
    category="image/upscaling",
    display_name="Upscale Image (using Model)",
    resource="gpu",
    numeric=True,
)
def image_upscale_with_model(ctx: Context, upscale_model: UpscaleModel, image: Image) -> Image:
    """Enlarge pictures by the factor of a network, in tiles of 512 pixels that overlap by 32."""
    if image.shape[-1] != 3:
        raise InputError(
            "The picture has an alpha channel, and upscale models work on colours.",
            input="image",
            got=f"{image.shape[-1]} channels",
            expected="3 channels",
            hint="Leave the alpha channel out and scale it on its own.",
        )
    return pictures.enlarged(ctx, upscale_model, image.movedim(-1, 1)).movedim(1, -1).contiguous()
