"""NOISE: where a run's noise comes from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.foreign import ForeignNoise
from nodes.lazy import lazy
from nodes.packs.objects.members import Members, unusable
from nodes.recipes import Latent, NoiseSource

if TYPE_CHECKING:
    import torch

    from nodes.models import sample
else:
    torch = lazy("torch")
    sample = lazy("nodes.models.sample")


class RandomNoise(Members):
    """Noise of a seed."""

    kind = "NOISE"
    starts = True

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Tensor:
        """Return noise of the shape of a latent's samples, as a sampler starts with it."""
        samples, places = plain_samples(input_latent), input_latent.get("batch_index")
        latent = Latent(samples, batch_index=None if places is None else tuple(places))
        return sample.starting_noise(NoiseSource(int(self.seed), self.starts), latent, samples)


class EmptyNoise(RandomNoise):
    """No noise before the first step."""

    starts = False


def plain_samples(latent: Mapping[str, Any]) -> Tensor:
    return latent["samples"].detach().cpu()


def noise(source: NoiseSource) -> Any:
    if isinstance(source, ForeignNoise):
        return source.made_by
    return (RandomNoise if source.starts else EmptyNoise)(source.seed)


def source_of(given: Any) -> NoiseSource:
    """Return where noise comes from, of any object with ``generate_noise`` and ``seed``.

    Raises:
        InputError: it has no ``generate_noise``.
    """
    if type(given) in (RandomNoise, EmptyNoise):
        return NoiseSource(int(given.seed), given.starts)
    if not callable(getattr(given, "generate_noise", None)):
        raise unusable("NOISE", type(given).__name__, "an object with generate_noise and seed")

    def draw(latent: Latent, like: Tensor) -> Tensor:
        asked: dict[str, Any] = {"samples": torch.zeros_like(like, device="cpu")}
        if latent.batch_index is not None:
            asked["batch_index"] = list(latent.batch_index)
        drawn: Tensor = given.generate_noise(asked)
        return drawn

    return ForeignNoise(int(getattr(given, "seed", 0)), draw=draw, made_by=given)
