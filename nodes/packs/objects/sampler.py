"""SAMPLER: a solver of ours, or one of foreign code.

A foreign solver is called as ``function(model, x, sigmas, extra_args=..., callback=..., disable=..., **options)`` and
calls ``model(x, sigma, **extra_args)`` for x0, with sigma (batch,).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.foreign import ForeignSampler
from nodes.lazy import lazy
from nodes.packs.objects.members import Members, no_member, unusable
from nodes.recipes import Sampler

if TYPE_CHECKING:
    from nodes.sampling.noise import Noise
    from nodes.sampling.seam import GuidedDenoiser, OnStep
    from nodes.sampling.solvers import record
else:
    record = lazy("nodes.sampling.solvers.record")

Function = Callable[..., Any]


class KSAMPLER(Members):
    """A solver with its options: by its name here, or a function of foreign code."""

    kind = "SAMPLER"

    def __init__(
        self,
        sampler_function: Function | str,
        extra_options: Mapping[str, Any] | None = None,
        inpaint_options: Mapping[str, Any] | None = None,
    ) -> None:
        if inpaint_options:
            raise no_member(self.kind, "inpaint_options")
        self.sampler_function = sampler_function
        self.extra_options = dict(extra_options or {})


def sampler(recipe: Sampler) -> KSAMPLER:
    if isinstance(recipe, ForeignSampler):
        return KSAMPLER(recipe.function, recipe.settings)
    return KSAMPLER(recipe.solver, recipe.settings)


def recipe_of(given: Any) -> Sampler:
    """Return a solver with its settings.

    Raises:
        InputError: it is no KSAMPLER.
    """
    if not isinstance(given, KSAMPLER):
        raise unusable("SAMPLER", type(given).__name__, "a KSAMPLER")
    function, settings = given.sampler_function, dict(given.extra_options)
    if isinstance(function, str):
        return Sampler(function, settings)
    name = getattr(function, "__name__", type(function).__name__)
    return ForeignSampler(name, settings, code=lambda seed: record.Solver(_solver(function, seed)), function=function)


class Denoise(Members):
    """What a foreign solver gets as the model."""

    kind = "the model of a sampler function"

    def __init__(self, denoise: "GuidedDenoiser") -> None:
        self._denoise = denoise

    def __call__(self, x: Tensor, sigma: Tensor, **extra: Any) -> Tensor:
        """Return x0. Functions after guidance that come in ``model_options`` are called, too."""
        level = sigma.flatten()[0].cpu()
        after = extra.get("model_options", {}).get("sampler_post_cfg_function", ())
        if not after:
            return self._denoise(x, level)
        guided = self._denoise.both(x, level)
        denoised = guided.denoised
        for function in after:
            told = {"denoised": denoised, "uncond_denoised": guided.uncond, "sigma": sigma, "input": x}
            denoised = function({**told, "model_options": extra["model_options"]})
        return denoised


def _solver(function: Function, seed: int) -> Any:
    def run(
        denoise: "GuidedDenoiser", x: Tensor, sigmas: Tensor, noise: "Noise", on_step: "OnStep", /, **settings: Any
    ) -> Tensor:
        def callback(step: Mapping[str, Any]) -> None:
            on_step(int(step["i"]), step["denoised"])

        extra: dict[str, Any] = {"model_options": {}, "seed": seed}
        sigmas = sigmas.to(x.device)  # foreign functions compute on the device of x
        return function(Denoise(denoise), x, sigmas, extra_args=extra, callback=callback, disable=True, **settings)

    return run
