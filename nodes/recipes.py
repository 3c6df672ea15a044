"""What travels between nodes besides numbers, text and pictures.

A model on a wire is a recipe: which file (by fingerprint), which part, which patches. It never holds weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from engine.types import Socket, Tensor
from engine.values import pack, wire

Option = TypeVar("Option")


@wire("FileRef")
@dataclass(frozen=True, slots=True)
class FileRef:
    """A model file: the kind of folder it lives in (``checkpoints``, ``loras``, ...) and its fingerprint."""

    folder: str
    fingerprint: str


@wire("LORA_MODEL")
@dataclass(frozen=True, slots=True)
class LoraModel:
    """A LoRA that was trained: its tensors on the CPU, by the names that files have for them."""

    tensors: Mapping[str, Tensor]

    @property
    def reference(self) -> "Trained":
        """What recipes have in its place."""
        return Trained(pack(self).digest.hex())


@wire("Trained")
@dataclass(frozen=True, slots=True)
class Trained:
    """A LoraModel by the digest of its value, in hex. The store has it, or its producer makes it again."""

    digest: str


@wire("LoraPatch")
@dataclass(frozen=True, slots=True)
class LoraPatch:
    """A LoRA laid over weights: W + strength * alpha / rank * (up @ down)."""

    file: FileRef | Trained
    strength: float


@wire("Rounded")
@dataclass(frozen=True, slots=True)
class Rounded:
    """Weights rounded to a dtype of fewer bits, by its name in torch."""

    dtype: Literal["float8_e4m3fn", "float8_e5m2"]


@wire("Merge")
@dataclass(frozen=True, slots=True)
class Merge:
    """Another network of the same build mixed in: W * own + W of ``other`` * taken.

    ``shares`` has (beginning of a name, own, taken); the longest beginning of a weight's name in the original layout
    counts, and one is empty, so that every weight has a share.
    """

    other: "Model | Clip"
    shares: tuple[tuple[str, float, float], ...]


@wire("Scaled")
@dataclass(frozen=True, slots=True)
class Scaled:
    """Weights multiplied. ``factors`` has regular expressions that find a part of their names, each with a factor."""

    factors: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ForeignPatch:
    """Changes of weights by code of a node pack. It has no byte form, and is equal to nothing but itself.

    ``changes`` get a weight (float32) and return another one, by their part ("" is the diffusion network, else the
    name of a text encoder) and the name of the weight in the original layout.
    """

    changes: Mapping[tuple[str, str], tuple[Callable[[Tensor], Tensor], ...]]


WeightPatch: TypeAlias = "LoraPatch | Rounded | Merge | Scaled | ForeignPatch"
"""What changes weights. Patches are applied in order, in float32."""


@wire("MODEL")
@dataclass(frozen=True, slots=True)
class Model:
    """A diffusion network: the UNet of ``file`` under ``patches``, in order.

    ``options`` leave its weights alone and change how it is used; of two of a kind the later one counts.
    """

    file: FileRef
    patches: tuple[WeightPatch, ...] = ()
    options: tuple[Any, ...] = ()

    def option(self, kind: type[Option]) -> Option | None:
        """Return the option of a kind that counts."""
        return next((option for option in reversed(self.options) if isinstance(option, kind)), None)


@wire("DiscreteSampling")
@dataclass(frozen=True, slots=True)
class DiscreteSampling:
    """An option of a model: what its output is, and whether its largest level holds no signal at all."""

    prediction: Literal["eps", "v_prediction", "lcm", "x0", "img_to_img"]
    zero_terminal: bool = False


@wire("ContinuousSampling")
@dataclass(frozen=True, slots=True)
class ContinuousSampling:
    """An option of a model: what its output is, over any level between two.

    ``clock`` is what its network is told of a level: its logarithm, or the angle between signal and noise.
    """

    prediction: Literal["eps", "v_prediction", "edm"]
    sigma_max: float
    sigma_min: float
    clock: Literal["logarithm", "angle"] = "logarithm"


@wire("FlowSampling")
@dataclass(frozen=True, slots=True)
class FlowSampling:
    """An option of a model: it is a rectified flow on ``steps`` levels, t pushed towards noise by ``shift``.

    sigma = shift * t / (1 + (shift - 1) * t).
    """

    shift: float
    steps: int = 1000


@wire("LATENT_OPERATION")
@dataclass(frozen=True, slots=True)
class LatentOperation:
    """An operation on latents by its name in ``nodes.pixels.operations``; as an option of a model, on its guidance."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@wire("Compiled")
@dataclass(frozen=True, slots=True)
class Compiled:
    """An option of a model: its network is compiled, by a backend of torch."""

    backend: Literal["inductor", "cudagraphs"]


@wire("RescaledGuidance")
@dataclass(frozen=True, slots=True)
class RescaledGuidance:
    """An option of a model: the spread of what guidance gives is pulled back to that of the positive side."""

    multiplier: float


@wire("Padding")
@dataclass(frozen=True, slots=True)
class Padding:
    """An option of text encoders: T5 fills a prompt with so many empty tokens at least, and to so many in all."""

    tokens: int
    length: int


@wire("CLIP")
@dataclass(frozen=True, slots=True)
class Clip:
    """The text encoders of ``file``. ``layer`` -n takes the n-th last hidden state; None is the family's default.

    With a ``family`` they are those of that family, of ``file`` and of the files ``beside`` it, in any order.
    ``options`` change how they are used.
    """

    file: FileRef
    patches: tuple[WeightPatch, ...] = ()
    layer: int | None = None
    beside: tuple[FileRef, ...] = ()
    options: tuple[Any, ...] = ()
    family: str | None = None

    def option(self, kind: type[Option]) -> Option | None:
        """Return the option of a kind that counts."""
        return next((option for option in reversed(self.options) if isinstance(option, kind)), None)

    @property
    def files(self) -> tuple[FileRef, ...]:
        return self.file, *self.beside


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


@wire("CLIP_VISION")
@dataclass(frozen=True, slots=True)
class ClipVision:
    """An image encoder."""

    file: FileRef


@wire("CLIP_VISION_OUTPUT")
@dataclass(frozen=True, slots=True)
class ClipVisionOutput:
    """What an image encoder made of pictures, float32 on the CPU.

    ``embeds`` (batch, width of the projection) stands for each picture as a whole; ``last`` and ``penultimate`` (batch,
    1 + patches, width) are its last two hidden states, without a final norm.
    """

    embeds: Tensor
    last: Tensor
    penultimate: Tensor


@wire("Unclip")
@dataclass(frozen=True, slots=True)
class Unclip:
    """Pictures that an unCLIP model sees: ``embeds`` as in ClipVisionOutput, with noise on them, 0 to 1."""

    embeds: Tensor
    strength: float
    noise_augmentation: float


@wire("GLIGEN")
@dataclass(frozen=True, slots=True)
class Gligen:
    """A network that lets a UNet attend to texts for boxes."""

    file: FileRef


@wire("GligenBox")
@dataclass(frozen=True, slots=True)
class GligenBox:
    """A text (1, width) for a box, whose sides and corner are in latent cells."""

    text: Tensor
    width: int
    height: int
    x: int
    y: int


@wire("STYLE_MODEL")
@dataclass(frozen=True, slots=True)
class StyleModel:
    """A network that turns what an image encoder saw into tokens of a prompt."""

    file: FileRef


@wire("CONTROL_NET")
@dataclass(frozen=True, slots=True)
class ControlNet:
    """A network that steers a UNet by a picture. With ``base`` its weights are added to those of that UNet.

    ``type`` tells a union ControlNet what kind of picture it gets, by its place in ``controlnet_union.TYPES``.
    """

    file: FileRef
    base: FileRef | None = None
    type: int | None = None


@wire("Control")
@dataclass(frozen=True, slots=True)
class Control:
    """A ControlNet at work on a prompt.

    ``image`` is a picture (batch, height, width, channels), 0 to 1. It counts while the part of the sampling that is
    done lies between ``start`` and ``end``, 0 to 1.
    """

    net: ControlNet
    image: Tensor
    strength: float
    start: float = 0.0
    end: float = 1.0


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

    ``options`` holds what narrows or steers it: area, mask, strength, start, end ...; ``control`` is a tuple of
    Control, and ``control_both`` says that prompts on the other side without one get them too.
    """

    context: Tensor
    pooled: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@wire("CONDITIONING")
@dataclass(frozen=True, slots=True)
class Conditioning:
    """Encoded prompts that steer a model together."""

    entries: tuple[Cond, ...]


@wire("PerpendicularGuidance")
@dataclass(frozen=True, slots=True)
class PerpendicularGuidance:
    """An option of a model: guidance keeps away from what the negative prompt does not share with the positive one."""

    empty: Conditioning
    negative_scale: float


LossMap = Annotated[Mapping[str, Any], Socket("LOSS_MAP")]
"""What a training says of itself: ``loss`` is a list with the mean loss of each step."""

Sigmas = Annotated[Tensor, Socket("SIGMAS")]
"""The noise levels that a run visits: float32 (n + 1,) on the CPU, falling, 0 at the end of a whole run."""


@wire("SAMPLER")
@dataclass(frozen=True, slots=True)
class Sampler:
    """A solver by its name in ``nodes.sampling.solvers``, and the settings of it that are not as usual."""

    solver: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@wire("NOISE")
@dataclass(frozen=True, slots=True)
class NoiseSource:
    """Where a run's noise comes from. Without ``starts`` the latent goes in as it is, and only solvers draw."""

    seed: int
    starts: bool = True


@wire("GUIDER")
@dataclass(frozen=True, slots=True)
class Guider:
    """A model and what steers it.

    ``sides`` are predicted for separately: the positive one, then the negative one, then what else the rule takes
    (``dual`` a prompt between both, ``perpendicular`` the empty prompt). ``settings`` are the rule's arguments in
    ``nodes.sampling.guidance``; classifier-free guidance has a ``scale``.
    """

    model: Model
    sides: tuple[Conditioning, ...]
    rule: Literal["classifier_free", "dual", "perpendicular"] = "classifier_free"
    settings: Mapping[str, Any] = field(default_factory=dict)


def classifier_free(model: Model, positive: Conditioning, negative: Conditioning, scale: float) -> Guider:
    """Return the usual guidance: away from the negative prompt, ``scale`` times as far as to the positive one."""
    return Guider(model, (positive, negative), settings={"scale": scale})
