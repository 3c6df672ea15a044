"""What code of node packs adds to recipes. It is code, so it has no byte form: what holds it stays in its process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.recipes import Guider, Latent, NoiseSource, Sampler

if TYPE_CHECKING:
    from nodes.sampling.guidance import Part, Scaled
    from nodes.sampling.guidance_changes import After, Before
    from nodes.sampling.prediction import Predictor
    from nodes.sampling.seam import GuidedDenoiser
    from nodes.sampling.solvers.record import Solver


@dataclass(frozen=True, slots=True, eq=False)
class Guiding:
    """What foreign code does to guidance between two sides of a run.

    ``rule`` takes the place of classifier-free guidance, ``before`` and ``after`` are changes around it.
    """

    rule: "Scaled | None"
    before: "Sequence[Before]"
    after: "Sequence[After]"


@dataclass(frozen=True, slots=True, eq=False)
class ForeignOptions:
    """An option of a model: what foreign code does while it is sampled.

    ``guiding`` gets the predictor of a run and the parts of its sides. ``around`` gets the predictor, the number of
    latents and the levels of a run, and returns another predictor. ``mask_at`` makes of the levels, a noise mask and
    the current level what counts there. ``given`` is what all of this was made from, for the next foreign node.
    """

    given: Mapping[str, Any]
    guiding: "Callable[[Predictor, Sequence[Sequence[Part]]], Guiding] | None" = None
    around: "Callable[[Predictor, int, Tensor], Predictor] | None" = None
    mask_at: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ForeignNoise(NoiseSource):
    """Noise that foreign code draws: ``draw`` gets a latent and a tensor of the shape that is wanted.

    ``made_by`` is what foreign code knows it as.
    """

    draw: Callable[[Latent, Tensor], Tensor] = field(kw_only=True)
    made_by: Any = field(kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class ForeignSampler(Sampler):
    """A solver of foreign code, which is ``function`` there; ``code`` makes one of ours for a seed."""

    code: "Callable[[int], Solver]" = field(kw_only=True)
    function: Callable[..., Any] = field(kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class ForeignGuider(Guider):
    """Guidance of foreign code: ``code`` makes a denoiser of a run's predictor, the parts of its sides and its levels.

    ``made_by`` is what foreign code knows it as. Options of the model that correct guidance don't count.
    """

    code: "Callable[[Predictor, Sequence[Sequence[Part]], Tensor], GuidedDenoiser]" = field(kw_only=True)
    made_by: Any = field(kw_only=True)
