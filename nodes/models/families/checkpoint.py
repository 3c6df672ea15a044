"""What a family tells of a file: its networks, its prediction, its latents. Plain data, read from a header."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nodes.recipes import Cond, FileRef
    from nodes.sampling.noise_levels import NoiseLevels

Prediction = Literal["eps", "v", "flow"]


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """Latents of a family.

    A picture of (H, W) has latents (channels, H / factor, W / factor). The sampler works on (latent - shift) * scale.
    ``rgb`` has a row per channel: sampler-side latents @ rgb gives a rough picture in -1 to 1, for previews.
    ``space`` names what the channels mean, which no shape tells; None where that is not known.
    """

    channels: int
    factor: int
    scale: float
    rgb: tuple[tuple[float, float, float], ...]
    shift: float = 0.0
    space: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """How a tensor of a module lies in one of the file.

    It is ``count`` of ``parts`` equal parts of its rows, from ``part`` on; or the whole, transposed; or the whole with
    its halves in the other order.
    """

    part: int = 0
    parts: int = 1
    is_transposed: bool = False
    count: int = 1
    is_swapped: bool = False

    def of(self, tensor: "Tensor") -> "Tensor":
        """Return the tensor of the module from that of the file: a view, but for swapped halves."""
        if self.is_transposed:
            return tensor.T
        if self.is_swapped:
            return tensor.roll(len(tensor) // 2, 0)
        rows = len(tensor) // self.parts
        return tensor[self.part * rows : (self.part + self.count) * rows]

    def shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the tensor of the module from that of the file."""
        return tuple(shape[::-1]) if self.is_transposed else (shape[0] // self.parts * self.count, *shape[1:])


@dataclass(frozen=True, slots=True)
class Network:
    """One module of a file.

    ``build(config)`` makes it on the device that torch is set to; ``keys`` gives for each of its tensors the name in
    the file, ``prefix`` is what those names begin with. ``adapters`` are what LoRA files put before the name of a
    module: one that ends in "_" is followed by the name with "_" for ".". ``cuts`` are for tensors that are not in the
    file as the module wants them. ``originals`` are the names in the original layout, without a prefix, of a network
    that has one; others have the module's own names there.

    A diffusion network takes ``channels`` cell by cell, and prompts of width ``context``; where it is not called as
    diffusers' UNets are, ``call`` does it, and ``working(config, batch, cells, itemsize)`` returns the bytes that it
    takes at work. A network that ``keeps`` is large: its matrices stay as narrow as its file has them, and are widened
    when they are used.
    """

    config: Mapping[str, Any]
    build: Callable[[Mapping[str, Any]], "nn.Module"]
    keys: Mapping[str, str]
    prefix: str
    adapters: tuple[str, ...]
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    originals: Mapping[str, str] = field(default_factory=dict)
    channels: int = 0
    context: int = 0
    call: "Call | None" = None
    working: "Callable[[Mapping[str, Any], int, int, int], int] | None" = None
    keeps: bool = False

    def shape(self, weights: Weights, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor of the module, read from the header of its file."""
        shape, cut = weights.shape(self.keys[name]), self.cuts.get(name)
        return cut.shape(shape) if cut else shape

    def tensor(self, weights: Weights, name: str) -> "Tensor":
        """Return a tensor of the module as a view of its file."""
        tensor, cut = weights.tensor(self.keys[name]), self.cuts.get(name)
        return cut.of(tensor) if cut else tensor


Call: TypeAlias = "Callable[[nn.Module, Tensor, Tensor, Mapping[str, Any]], Tensor]"
"""Calls a diffusion network: its module, x (batch, channels, h, w), timesteps (batch,) and the inputs by name, all but
the timesteps in the dtype that it computes in; returns its raw prediction like x."""


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A text encoder. ``layer`` -n is the hidden state that the family takes; ``pad`` the id that fills a chunk.

    ``name`` tells the encoders of a family apart. One that ``pools`` also gives one vector for the whole prompt. CLIP's
    lay a prompt into chunks of ``length`` tokens; T5 takes all of it at once, filled to at least ``length``.
    """

    name: str
    network: Network
    vocabulary: int
    length: int
    width: int
    pad: int
    layer: int
    final_norm: bool
    pools: bool = False


class Encoded(NamedTuple):
    """``context`` (1, tokens, width), float32, on the CPU; ``pooled`` (1, width) where the family has it."""

    context: "Tensor"
    pooled: "Tensor | None"


Placed: TypeAlias = "tuple[FileRef, TextEncoder]"


@dataclass(frozen=True, slots=True)
class TextFamily:
    """How a family uses its text encoders.

    ``chosen(found)`` makes of encoders from files of their own, in any order, those of the family as they stand in its
    checkpoints; None where they are others. ``expected`` says in words which it takes. ``joined(outputs)`` makes of
    what they gave for a prompt, by their names, what the family's network gets. A family that ``is_partial`` gets by
    without some of its encoders, and without their outputs.
    """

    chosen: Callable[[Sequence[Placed]], tuple[Placed, ...] | None]
    expected: str
    joined: Callable[[Mapping[str, Encoded]], Encoded]
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Defaults:
    """What to ask a model for when a person does not say: pixels, steps, guidance."""

    width: int
    height: int
    steps: int
    cfg: float


Inputs = Callable[["Cond", Sequence[int], bool], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A detected file. A part that it lacks is None; a family may have several text encoders.

    ``levels()`` are the noise levels that it was trained on. ``inputs(cond, shape, is_negative)`` is what its network
    gets besides x for a prompt and latents of a shape, by name, each value a tensor (1, ...): ``context``, and what
    else the family knows. It raises ModelError where the prompt lacks something.
    """

    family: str
    prediction: Prediction
    levels: "Callable[[], NoiseLevels]"
    latent: LatentFormat
    defaults: Defaults
    unet: Network | None
    vae: Network | None
    text: tuple[TextEncoder, ...]
    inputs: Inputs

    @property
    def parts(self) -> tuple[tuple[str, Network], ...]:
        """The networks that are there, each with what it is in words."""
        text = [("a text encoder", encoder.network) for encoder in self.text]
        found = [("a diffusion network", self.unet), ("a VAE", self.vae), *text]
        return tuple((kind, network) for kind, network in found if network)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks that are there."""
        return tuple(network for _, network in self.parts)

    @property
    def patchable(self) -> tuple[Network, ...]:
        """The networks that LoRAs change: all but the VAE."""
        return tuple(network for network in self.networks if network is not self.vae)
