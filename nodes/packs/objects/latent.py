"""LATENT: our value, and the dict that foreign code works with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.members import unusable
from nodes.packs.objects.pixels import plain
from nodes.recipes import Latent

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")


class LatentDict(dict[str, Any]):
    """A latent as foreign code knows it. While its samples are those that it began with, their family is known."""

    def __init__(self, content: Mapping[str, Any], samples: Tensor, space: str | None) -> None:
        super().__init__(content)
        self.began, self.space = samples, space

    def copy(self) -> "LatentDict":
        return LatentDict(self, self.began, self.space)


def latent_dict(latent: Latent, inner: Callable[[Any], Any]) -> LatentDict:
    """Return a dict with samples, noise_mask (batch, 1, height, width) and batch_index where there are, and all else.

    ``inner`` converts what lies under other keys.
    """
    found: dict[str, Any] = {"samples": latent.samples}
    if latent.noise_mask is not None:
        found["noise_mask"] = latent.noise_mask[:, None]
    if latent.batch_index is not None:
        found["batch_index"] = list(latent.batch_index)
    found |= {name: inner(value) for name, value in latent.extra.items()}
    return LatentDict(found, latent.samples, latent.space)


def latent(given: Any, inner: Callable[[Any], Any]) -> Latent:
    """Return the latent of a dict. ``inner`` converts what lies under keys that are not a latent's own.

    Raises:
        InputError: it has no samples.
    """
    samples = given.get("samples") if isinstance(given, dict) else None
    if not torch.is_tensor(samples):
        raise unusable("LATENT", type(given).__name__, "a dict with a tensor under samples")
    mask, places = given.get("noise_mask"), given.get("batch_index")
    is_known = isinstance(given, LatentDict) and samples is given.began
    return Latent(
        plain(samples),
        None if mask is None else plain(mask).reshape(-1, *mask.shape[-2:]),
        None if places is None else tuple(int(place) for place in places),
        {name: inner(value) for name, value in given.items() if name not in OWN},
        given.space if is_known else None,
    )


OWN = ("samples", "noise_mask", "batch_index")
