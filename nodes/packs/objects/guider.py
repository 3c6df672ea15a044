"""GUIDER: a model and what steers it, and guidance that foreign code makes up in ``predict_noise``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.foreign import ForeignGuider, ForeignNoise
from nodes.lazy import lazy
from nodes.packs.objects import sampler as samplers
from nodes.packs.objects.members import Members, context, no_member, unusable
from nodes.packs.objects.model import ModelPatcher
from nodes.packs.objects.pixels import plain
from nodes.recipes import Guider, Latent

if TYPE_CHECKING:
    from nodes.models import sample
    from nodes.packs import objects
    from nodes.packs.objects import options, run
    from nodes.sampling import seam
    from nodes.sampling.guidance import Part
    from nodes.sampling.prediction import Predictor
else:
    objects = lazy("nodes.packs.objects")
    options = lazy("nodes.packs.objects.options")
    run = lazy("nodes.packs.objects.run")
    sample = lazy("nodes.models.sample")
    seam = lazy("nodes.sampling.seam")

ORDER = ("positive", "negative")
"""The sides that come first. Others follow in the order in which they were set."""


class CFGGuider(Members):
    """Classifier-free guidance as foreign code sets it up, runs it, and derives its own from.

    While a subclass predicts, ``inner_model`` and ``conds`` stand for the model and the prompts of the run.
    """

    kind = "GUIDER"
    inner_model: "run.RunModel"
    conds: "dict[str, run.Side]"

    def __init__(self, model_patcher: ModelPatcher) -> None:
        self.model_patcher = model_patcher
        self.cfg: Any = 1.0
        self.original_conds: dict[str, Any] = {}
        self._came: Guider | None = None

    @property
    def model_options(self) -> dict[str, Any]:
        return self.model_patcher.model_options

    def set_conds(self, positive: Any, negative: Any = None) -> None:
        """Set prompts, as lists of [tensor, dict]."""
        self.inner_set_conds({"positive": positive, **({} if negative is None else {"negative": negative})})

    def inner_set_conds(self, conds: Mapping[str, Any]) -> None:
        """Set prompts by name; ``positive`` is one of them."""
        self.original_conds, self._came = dict(conds), None

    def set_cfg(self, cfg: float) -> None:
        self.cfg = float(cfg)
        if self._came is not None:
            self._came = replace(self._came, settings={**self._came.settings, "scale": self.cfg})

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: Mapping[str, Any] | None = None, seed: int | None = None
    ) -> Tensor:
        """Return x0 for x at a noise level (batch,)."""
        conds, given = self.conds, model_options or {}
        return run.sampling_function(
            self.inner_model, x, timestep, conds.get("negative"), conds.get("positive"), self.cfg, given, seed=seed
        )

    @property
    def recipe(self) -> Guider:
        """The guider as a recipe.

        Raises:
            NodeFailure: a subclass samples in a way of its own.
        """
        for name in ("outer_sample", "inner_sample"):
            if hasattr(type(self), name):
                raise no_member(self.kind, name, "Guide with a predict_noise of its own, or with CFGGuider.")
        model = self.model_patcher.recipe
        if self._came is not None:
            return self._came if model == self._came.model else replace(self._came, model=model)
        names = sorted(self.original_conds, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        sides = tuple(objects.from_foreign("CONDITIONING", self.original_conds[name]) for name in names)
        if type(self).predict_noise is CFGGuider.predict_noise:
            return Guider(model, sides, settings={"scale": self.cfg})

        def code(predict: "Predictor", parts: "Sequence[Sequence[Part]]", sigmas: Tensor) -> Predicting:
            given = options.copied(self.model_options)
            given.setdefault("transformer_options", {})["sample_sigmas"] = sigmas
            named = {name: run.Side(part) for name, part in zip(names, parts, strict=True)}
            return Predicting(self, run.RunModel(self.model_patcher.model, predict), named, given)

        return ForeignGuider(model, sides, code=code, made_by=self)

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


@dataclass(frozen=True, slots=True, eq=False)
class Predicting:
    """A denoiser that foreign code guides."""

    guider: CFGGuider
    model: "run.RunModel"
    sides: "Mapping[str, run.Side]"
    options: Mapping[str, Any]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.guider.inner_model, self.guider.conds = self.model, dict(self.sides)
        level = sigma.to(x.device).expand(len(x)).clone()
        return self.guider.predict_noise(x, level, model_options=self.options, seed=None)

    def both(self, x: Tensor, sigma: Tensor) -> "seam.Guided":
        denoised = self(x, sigma)
        negative = self.sides.get("negative")
        return seam.Guided(denoised, run.calc_cond_batch(self.model, [negative], x, sigma)[0] if negative else denoised)


def guider(recipe: Guider) -> CFGGuider:
    if isinstance(recipe, ForeignGuider):
        made: CFGGuider = recipe.made_by
        return made
    found = CFGGuider(ModelPatcher(recipe.model))
    sides = [objects.to_foreign("CONDITIONING", side) for side in recipe.sides[:2]]
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
