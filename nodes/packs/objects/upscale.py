"""UPSCALE_MODEL, as the descriptor of spandrel that foreign code calls."""

from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.members import Members, context
from nodes.recipes import UpscaleModel

if TYPE_CHECKING:
    from nodes.models import service
    from nodes.models.upscaler import Upscaler
else:
    service = lazy("nodes.models.service")


class ImageModelDescriptor(Members):
    """A network that enlarges pictures (batch, 3, height, width), 0 to 1. Where it lies is the pool's to decide."""

    kind = "UPSCALE_MODEL"
    input_channels = output_channels = 3

    def __init__(self, recipe: UpscaleModel) -> None:
        self.recipe = recipe

    @property
    def scale(self) -> int:
        return self._upscaler().scale

    def __call__(self, image: Tensor) -> Tensor:
        """Return pictures enlarged by ``scale``, on the device and in the dtype of the given ones."""
        return self._upscaler()(image).to(image)

    def to(self, *places: Any, **more: Any) -> "ImageModelDescriptor":
        """Return it as it is, and so do ``cpu``, ``cuda``, ``eval``, ``half`` and ``float``."""
        return self

    cpu = cuda = eval = half = float = to

    def _upscaler(self) -> "Upscaler":
        return context().use(service.pool).upscaler(self.recipe)
