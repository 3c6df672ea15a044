"""Options of a model that reach into its network while it runs. They are data; ``nodes.models.hooks`` acts on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.values import wire
from nodes.recipes import FileRef


@wire("FreeU")
@dataclass(frozen=True, slots=True)
class FreeU:
    """The backbone of the first (b1) and second (b2) level of the way up is strengthened, its skips (s1, s2) smoothed.

    ``by_content`` strengthens each place by how active it is, as in the second version of the paper.
    """

    b1: float
    b2: float
    s1: float
    s2: float
    by_content: bool


@wire("HyperTile")
@dataclass(frozen=True, slots=True)
class Tiling:
    """Self-attention stays within tiles of at least ``cells`` latent cells a side, on the outer ``depth`` + 1 levels.

    Which of ``swap`` tilings is taken changes from call to call. With ``scales`` tiles grow with the depth.
    """

    cells: int
    swap: int
    depth: int
    scales: bool


@wire("TokenMerging")
@dataclass(frozen=True, slots=True)
class TokenMerging:
    """Self-attention on the outermost level sees similar tokens as one: ``ratio`` of them are merged away."""

    ratio: float


@wire("DeepShrink")
@dataclass(frozen=True, slots=True)
class DeepShrink:
    """What goes on after block ``number`` of the way down is shrunk by ``factor`` during a part of the sampling."""

    number: int
    factor: float
    start: float
    end: float
    after_skip: bool
    down: str
    up: str


@wire("Hypernetwork")
@dataclass(frozen=True, slots=True)
class Hypernetwork:
    """Small networks that change what attention looks at: keys and values are made of x + strength * net(x)."""

    file: FileRef
    strength: float


@wire("PerturbedAttention")
@dataclass(frozen=True, slots=True)
class PerturbedAttention:
    """Guidance away from what the network predicts when its middle does not attend."""

    scale: float


@wire("SelfAttention")
@dataclass(frozen=True, slots=True)
class SelfAttention:
    """Guidance away from what the network predicts when what its middle attends to is blurred."""

    scale: float
    blur: float


@wire("SoftMask")
@dataclass(frozen=True, slots=True)
class SoftMask:
    """A grey noise mask says when a place is painted: the brighter the earlier. ``strength`` 0 blends as without."""

    strength: float


@wire("GuidanceChange")
@dataclass(frozen=True, slots=True)
class GuidanceChange:
    """A change of guidance by its name in ``nodes.sampling.guidance_changes``, and its settings."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@wire("StepCaching")
@dataclass(frozen=True, slots=True)
class StepCaching:
    """Steps between ``start`` and ``end`` of the sampling are skipped while little should change.

    That is until the last prediction should have changed by ``threshold`` of itself. What is kept is what the network
    predicted or, with ``guided``, what guidance made of it. ``verbose`` says in the log what becomes of each step.
    """

    threshold: float
    start: float
    end: float
    guided: bool
    verbose: bool


@wire("SkippedBlocks")
@dataclass(frozen=True, slots=True)
class SkippedBlocks:
    """Guidance away from what a transformer predicts without its ``double`` and ``single`` blocks of these numbers.

    It counts while the part of the sampling that is done lies between ``start`` and ``end``. A ``scale`` of None leaves
    the blocks out for the negative prompt instead. ``rescaling`` pulls the spread of the result back, 0 to 1.
    """

    double: tuple[int, ...]
    single: tuple[int, ...]
    scale: float | None
    start: float
    end: float
    rescaling: float = 0.0
