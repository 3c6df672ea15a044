"""Autoencoders and upscalers in a node: whole pictures at once while that fits, else in tiles."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.context import Context
from nodes.models.families.checkpoint import LatentFormat
from nodes.models.files import tell_unused
from nodes.models.ladder import Ladder, freed
from nodes.models.residents import Residents
from nodes.models.service import pool
from nodes.models.vae import Autoencoder, crop
from nodes.models.working import vae_bytes
from nodes.pixels import tiles
from nodes.recipes import UpscaleModel, Vae

SIDES = (512, 256, 128)
"""Sides of the tiles in pixels that are tried, one after the other."""

NOT_KEPT = "Tiles change the picture a little, so it is not remembered."


@dataclass(frozen=True, slots=True)
class Pictures:
    """The autoencoder of a recipe at work in a node. Latents and pictures are as in ``Autoencoder``."""

    ctx: Context
    recipe: Vae

    @property
    def latent(self) -> LatentFormat:
        return self.ctx.use(pool).checkpoint(self.recipe.file).latent

    def crop(self, pixels: Tensor) -> Tensor:
        """Return a view of (B, H, W, ...) cut at its borders, as ``encode`` does it. Raises InputError as it does."""
        return crop(pixels, self.latent.factor)

    def decode(self, samples: Tensor) -> Tensor:
        """Return pictures (B, H, W, 3). Raises InputError where the latents have other channels."""
        height, width = (side * self.latent.factor for side in samples.shape[-2:])
        return self._done(
            (height, width),
            lambda autoencoder: autoencoder.decode(samples),
            lambda autoencoder, side: autoencoder.decode_tiled(samples, side, side // 8, self.ctx.progress),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """Return latents (B, channels, h, w). Raises InputError where the picture is smaller than a cell."""
        return self._done(
            (pixels.shape[1], pixels.shape[2]),
            lambda autoencoder: autoencoder.encode(pixels),
            lambda autoencoder, side: autoencoder.encode_tiled(pixels, side, side // 8, self.ctx.progress),
        )

    def decode_tiled(self, samples: Tensor, tile: int, overlap: int) -> Tensor:
        """Return pictures, decoded in tiles that a person chose."""
        return self._done((tile, tile), lambda vae: vae.decode_tiled(samples, tile, overlap, self.ctx.progress))

    def encode_tiled(self, pixels: Tensor, tile: int, overlap: int) -> Tensor:
        """Return latents, encoded in tiles that a person chose."""
        return self._done((tile, tile), lambda vae: vae.encode_tiled(pixels, tile, overlap, self.ctx.progress))

    def _done(
        self,
        size: tuple[int, int],
        whole: Callable[[Autoencoder], Tensor],
        tiled: Callable[[Autoencoder, int], Tensor] | None = None,
    ) -> Tensor:
        models = self.ctx.use(pool)
        with models.residents.together():
            autoencoder = models.vae(self.recipe)
            config, itemsize = autoencoder.module.config, models.policy.vae[-1].itemsize

            def work(side: int | None) -> Tensor:
                needed = vae_bytes(config, side**2 if side else size[0] * size[1], itemsize)
                models.residents.reserve(needed, "The VAE at work" + (f" on tiles of {side}" if side else ""))
                return tiled(autoencoder, side) if side and tiled else whole(autoencoder)

            return _smaller(self.ctx, models.residents, work, max(size) if tiled else 0)


def enlarged(ctx: Context, model: UpscaleModel, pixels: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) enlarged by the factor of a network, in tiles of 512 pixels or fewer."""
    models = ctx.use(pool)
    with models.residents.together():
        upscaler = models.upscaler(model)
        tell_unused(ctx, models.weights(model.file).path.name, upscaler.unused, "an upscaler")

        def work(side: int | None) -> Tensor:
            return tiles.enlarge(upscaler, pixels, upscaler.scale, ctx.progress, tile=side or SIDES[0])

        return _smaller(ctx, models.residents, work, min(SIDES[0], max(pixels.shape[-2:])))


def _smaller(ctx: Context, residents: Residents, work: Callable[[int | None], Tensor], longest: int) -> Tensor:
    """Return what ``work`` makes: whole, or in tiles that memory allows, smaller than the ``longest`` side."""
    side: int | None = None

    def rungs() -> Iterator[str]:
        nonlocal side
        yield from freed(residents)
        for side in SIDES:
            if side < longest:
                yield f"It is done in tiles of {side} pixels. {NOT_KEPT}"

    made: Any = Ladder(rungs(), ctx.warn).climb(lambda: work(side))
    if side:
        ctx.approximate()
    return made  # type: ignore[no-any-return]
