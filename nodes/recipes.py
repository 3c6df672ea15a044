"""What travels between nodes besides numbers, text and pictures.

A model on a wire is a recipe: which file (by fingerprint), which part, which patches. It never holds weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.types import Tensor
from engine.values import wire


@wire("FileRef")
@dataclass(frozen=True, slots=True)
class FileRef:
    """A model file: the kind of folder it lives in (``checkpoints``, ``loras``, ...) and its fingerprint."""

    folder: str
    fingerprint: str


@wire("LoraPatch")
@dataclass(frozen=True, slots=True)
class LoraPatch:
    """A LoRA laid over weights: W + strength * alpha / rank * (up @ down)."""

    file: FileRef
    strength: float


@wire("MODEL")
@dataclass(frozen=True, slots=True)
class Model:
    """A diffusion network: the UNet of ``file`` under ``patches``, in order."""

    file: FileRef
    patches: tuple[LoraPatch, ...] = ()


@wire("CLIP")
@dataclass(frozen=True, slots=True)
class Clip:
    """The text encoders of ``file``. ``layer`` -n takes the n-th last hidden state; None is the family's default."""

    file: FileRef
    patches: tuple[LoraPatch, ...] = ()
    layer: int | None = None


@wire("VAE")
@dataclass(frozen=True, slots=True)
class Vae:
    """The image autoencoder of ``file``."""

    file: FileRef


@wire("UPSCALE_MODEL")
@dataclass(frozen=True, slots=True)
class UpscaleModel:
    """An image-to-image network that enlarges by a fixed factor."""

    file: FileRef


@wire("LATENT")
@dataclass(frozen=True, slots=True)
class Latent:
    """Latents in unscaled VAE space.

    ``samples`` is float32 (batch, channels, height, width) on the CPU; ``noise_mask`` float32 (batch, height, width)
    with 1 where to sample; ``batch_index`` the place of each sample in the noise of a larger batch. Keys of foreign
    nodes travel along in ``extra``. ``space`` names the family whose latents these are, where that is known.
    """

    samples: Tensor
    noise_mask: Tensor | None = None
    batch_index: tuple[int, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    space: str | None = None


@wire("COND")
@dataclass(frozen=True, slots=True)
class Cond:
    """One encoded prompt: ``context`` float32 (1, tokens, width), ``pooled`` (1, width) where the family has it.

    ``options`` holds what narrows or steers it (area, mask, strength, start, end, control ...).
    """

    context: Tensor
    pooled: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@wire("CONDITIONING")
@dataclass(frozen=True, slots=True)
class Conditioning:
    """Encoded prompts that steer a model together."""

    entries: tuple[Cond, ...]
