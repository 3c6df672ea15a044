"""What a family tells of a file: its networks, its prediction, its latents. Plain data, read from a header."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

Prediction = Literal["eps", "v", "flow"]


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """Latents of a family.

    A picture of (H, W) has latents (channels, H / factor, W / factor). The sampler works on (latent - shift) * scale.
    ``rgb`` has a row per channel: sampler-side latents @ rgb gives a rough picture in -1 to 1, for previews.
    """

    channels: int
    factor: int
    scale: float
    rgb: tuple[tuple[float, float, float], ...]
    shift: float = 0.0


@dataclass(frozen=True, slots=True)
class Network:
    """One module of a file.

    ``build(config)`` makes it on the device that torch is set to; ``keys`` gives for each of its tensors the name in
    the file, ``prefix`` is what those names begin with. ``adapters`` are what LoRA files put before the name of a
    module: one that ends in "_" is followed by the name with "_" for ".".
    """

    config: Mapping[str, Any]
    build: Callable[[Mapping[str, Any]], "nn.Module"]
    keys: Mapping[str, str]
    prefix: str
    adapters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A text encoder. ``layer`` -n is the hidden state that the family takes; ``pad`` the id that fills a chunk."""

    network: Network
    vocabulary: int
    length: int
    width: int
    pad: int
    layer: int
    final_norm: bool


@dataclass(frozen=True, slots=True)
class Defaults:
    """What to ask a model for when a person does not say: pixels, steps, guidance."""

    width: int
    height: int
    steps: int
    cfg: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A detected file. A part that it lacks is None; a family may have several text encoders."""

    family: str
    prediction: Prediction
    latent: LatentFormat
    defaults: Defaults
    unet: Network | None
    vae: Network | None
    text: tuple[TextEncoder, ...]
