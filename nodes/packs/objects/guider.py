"""GUIDER: a model and what steers it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.foreign import ForeignNoise
from nodes.lazy import lazy
from nodes.packs.objects import sampler as samplers
from nodes.packs.objects.members import Members, context, no_member, unusable
from nodes.packs.objects.model import ModelPatcher
from nodes.packs.objects.pixels import plain
from nodes.recipes import Guider, Latent

if TYPE_CHECKING:
    from nodes.models import sample
    from nodes.packs import objects
else:
    objects = lazy("nodes.packs.objects")
    sample = lazy("nodes.models.sample")


class CFGGuider(Members):
    """Classifier-free guidance as foreign code sets it up and runs it."""

    kind = "GUIDER"

    def __init__(self, model_patcher: ModelPatcher) -> None:
        self.model_patcher = model_patcher
        self.cfg = 1.0
        self._positive: Any = []
        self._negative: Any = None
        self._came: Guider | None = None

    @property
    def model_options(self) -> dict[str, Any]:
        return self.model_patcher.model_options

    def set_conds(self, positive: Any, negative: Any = None) -> None:
        """Set prompts, as lists of [tensor, dict]."""
        self._positive, self._negative, self._came = positive, negative, None

    def set_cfg(self, cfg: float) -> None:
        self.cfg = float(cfg)
        if self._came is not None:
            self._came = replace(self._came, settings={**self._came.settings, "scale": self.cfg})

    @property
    def recipe(self) -> Guider:
        """The guider as a recipe.

        Raises:
            NodeFailure: a subclass predicts in a way of its own.
        """
        own = next((name for name in OVERRIDABLE if name in dir(type(self))), None)
        if own:
            raise no_member(self.kind, own, "Guide with CFGGuider, DualCFGGuider or PerpNegGuider.")
        model = self.model_patcher.recipe
        if self._came is not None:
            return self._came if model == self._came.model else replace(self._came, model=model)
        sides = [self._positive] if self._negative is None else [self._positive, self._negative]
        return Guider(
            model, tuple(objects.from_foreign("CONDITIONING", side) for side in sides), settings={"scale": self.cfg}
        )

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Take a latent down noise levels from given noise; ``callback`` gets (step, x0, x, steps)."""
        mask = None if denoise_mask is None else plain(denoise_mask).reshape(-1, *denoise_mask.shape[-2:])
        latent, drawn = Latent(plain(latent_image), mask), plain(noise)
        source = ForeignNoise(int(seed or 0), draw=lambda latent, like: drawn, made_by=None)
        levels = plain(sigmas)
        return sample.sample(
            context(), self.recipe, samplers.recipe_of(sampler), levels, source, latent, callback
        ).output.samples


OVERRIDABLE = ("predict_noise", "outer_sample", "inner_sample")
"""Methods by which a subclass would predict or sample in a way of its own."""


def guider(recipe: Guider) -> CFGGuider:
    found = CFGGuider(ModelPatcher(recipe.model))
    positive, *others = recipe.sides
    sides = [objects.to_foreign("CONDITIONING", side) for side in (positive, *others[:1])]
    found.set_conds(*sides)
    found.cfg, found._came = float(recipe.settings.get("scale", 1.0)), recipe
    return found


def recipe_of(given: Any) -> Guider:
    """Return a guider as a recipe.

    Raises:
        InputError: it is none that Loomis knows.
    """
    if not isinstance(given, CFGGuider):
        raise unusable("GUIDER", type(given).__name__, "a CFGGuider")
    return given.recipe
