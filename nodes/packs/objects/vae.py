"""VAE: pictures to latents and back."""

from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.base_model import pool
from nodes.packs.objects.members import Members, context, no_member
from nodes.packs.objects.pixels import image, plain
from nodes.recipes import Vae

if TYPE_CHECKING:
    import torch

    from nodes.models import pictures
else:
    torch = lazy("torch")
    pictures = lazy("nodes.models.pictures")

TILE, OVERLAP = 512, 64
"""Side and overlap of tiles in pixels, when foreign code does not say."""


class VAE(Members):
    """The autoencoder of a recipe."""

    kind = "VAE"
    latent_dim = 2
    output_channels = 3

    def __init__(self, recipe: Vae) -> None:
        self.recipe = recipe

    def __getattr__(self, name: str) -> Any:
        if name == "first_stage_model":
            raise no_member(self.kind, name, "Encode and decode with the VAE itself; modules belong to the pool.")
        return self._refuse(name)

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """Return latents of pictures (batch, height, width, channels)."""
        return self._pictures.encode(image(pixel_samples))

    def decode(self, samples_in: Tensor, **more: Any) -> Tensor:
        """Return pictures of latents (batch, channels, height, width)."""
        return self._pictures.decode(plain(samples_in))

    def encode_tiled(
        self,
        pixel_samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        **times: Any,
    ) -> Tensor:
        """Return latents, encoded in tiles of so many pixels; the smaller side counts for both."""
        side = min(tile_x or TILE, tile_y or TILE)
        return self._pictures.encode_tiled(image(pixel_samples), side, OVERLAP if overlap is None else overlap)

    def decode_tiled(
        self,
        samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        **times: Any,
    ) -> Tensor:
        """Return pictures, decoded in tiles of so many cells; the smaller side counts for both."""
        factor = self.downscale_ratio
        side = min(tile_x or TILE // factor, tile_y or TILE // factor) * factor
        shared = OVERLAP if overlap is None else overlap * factor
        return self._pictures.decode_tiled(plain(samples), side, shared)

    @property
    def _pictures(self) -> Any:
        return pictures.Pictures(context(), self.recipe)

    @property
    def downscale_ratio(self) -> int:
        """Pixels along a side of a cell."""
        return int(self._pictures.latent.factor)

    upscale_ratio = downscale_ratio

    def spacial_compression_decode(self) -> int:
        return self.downscale_ratio

    def spacial_compression_encode(self) -> int:
        return self.downscale_ratio

    def temporal_compression_decode(self) -> None:
        """Return None: there is no time in these latents."""

    @property
    def latent_channels(self) -> int:
        return int(self._pictures.latent.channels)

    def throw_exception_if_invalid(self) -> None:
        """Raise ModelError where the file holds no autoencoder, or another than its name says."""
        pool().vae(self.recipe)

    def vae_encode_crop_pixels(self, pixels: Tensor) -> Tensor:
        """Return pictures cut at their borders to whole cells, as ``encode`` does it."""
        found: Tensor = self._pictures.crop(pixels)
        return found

    def process_input(self, image: Tensor) -> Tensor:
        """Return pictures in -1 to 1."""
        return image * 2.0 - 1.0

    def process_output(self, image: Tensor) -> Tensor:
        """Return pictures in 0 to 1."""
        return ((image + 1.0) / 2.0).clamp(0.0, 1.0)

    @property
    def vae_dtype(self) -> Any:
        return pool().policy.vae[-1]

    @property
    def device(self) -> Any:
        return pool().device

    @property
    def output_device(self) -> Any:
        return torch.device("cpu")

    @property
    def offload_device(self) -> Any:
        return torch.device("cpu")
