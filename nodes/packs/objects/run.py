"""A run as foreign code sees it: its model, its sides, and the functions over guidance between them.

Functions get the arguments that ComfyUI's do, in one dict: ``cond`` and ``uncond`` as noise, ``cond_denoised`` and
``uncond_denoised`` as x0, ``input`` (x), ``sigma`` (batch,), ``cond_scale``, and what they were set beside.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from nodes.foreign import Guiding
from nodes.packs.objects.base_model import BaseModel
from nodes.packs.objects.members import Members
from nodes.sampling.guidance import Part, Rule, Scaled, Sides, blended, classifier_free
from nodes.sampling.guidance_changes import After, Before, Changes
from nodes.sampling.prediction import Predictor

Function = Callable[..., Any]
Given = Mapping[str, Any]


class Side(Members):
    """The prompts of one side while a run predicts: they can be handed on, and not looked into."""

    kind = "the prompts of a run"

    def __init__(self, parts: "Sequence[Part]") -> None:
        self._parts = parts


class RunModel(Members):
    """The model of a run: what can be read of it, and what ``calc_cond_batch`` calls."""

    kind = "the model of a run"

    def __init__(self, model: BaseModel, predict: "Predictor") -> None:
        self._model, self._predict = model, predict

    def __getattr__(self, name: str) -> Any:
        return self._refuse(name) if name.startswith("_") else getattr(self._model, name)


def calc_cond_batch(
    model: RunModel, conds: Sequence[Side | None], x_in: Tensor, timestep: Tensor, model_options: Any = None
) -> list[Tensor]:
    """Return x0 as predicted for each side; 0 for None."""
    sides = [() if cond is None else cond._parts for cond in conds]
    return blended(model._predict, sides, x_in, timestep.flatten()[0].float().cpu())


def sampling_function(
    model: RunModel,
    x: Tensor,
    timestep: Tensor,
    uncond: Side | None,
    cond: Side | None,
    cond_scale: float,
    model_options: Mapping[str, Any] | None = None,
    cond_or_uncond: Any = None,
    seed: int | None = None,
) -> Tensor:
    """Return x0 under guidance, with the functions in ``model_options``. At scale 1 uncond is left out."""
    given = model_options or {}
    alone = math.isclose(cond_scale, 1.0) and not given.get("disable_cfg1_optimization")
    found = calc_cond_batch(model, [cond, None if alone else uncond], x, timestep)
    own = guiding(given, model, cond, uncond)
    rule = Changes(own.before, own.after).around(own.rule or classifier_free)(cond_scale)
    return rule(Sides(x, timestep.flatten()[0].float().cpu(), found[0], found[1]))


def guiding(given: Given, model: RunModel, cond: Side | None, uncond: Side | None) -> Guiding:
    """Return what the functions in ``model_options`` do to guidance between two sides of a run."""

    def told(s: Sides, scale: float) -> dict[str, Any]:
        sigma = for_each(s.sigma, s.x)
        both = {"timestep": sigma, "sigma": sigma, "input": s.x, "model": model, "model_options": given}
        return {**both, "cond_scale": scale, "cond_denoised": s.cond, "uncond_denoised": s.uncond}

    def ruled(function: Function) -> Scaled:
        def scaled(scale: float) -> Rule:
            def rule(s: Sides) -> Tensor:
                noises = {"cond": s.x - s.cond, "uncond": s.x - s.uncond}
                noise: Tensor = function({**told(s, scale), **noises})
                return s.x - noise

            return rule

        return scaled

    def before(function: Function) -> Before:
        def changed(s: Sides, scale: float) -> Sides:
            sides = {"conds": [cond, uncond], "conds_out": [s.cond, s.uncond]}
            first, second = function({**told(s, scale), **sides})[:2]
            return replace(s, cond=first, uncond=second)

        return changed

    def after(function: Function) -> After:
        def changed(guided: Tensor, s: Sides, scale: float) -> Tensor:
            made: Tensor = function({**told(s, scale), "denoised": guided, "cond": cond, "uncond": uncond})
            return made

        return changed

    rule = given.get("sampler_cfg_function")
    return Guiding(
        ruled(rule) if rule else None,
        [before(each) for each in given.get("sampler_pre_cfg_function", ())],
        [after(each) for each in given.get("sampler_post_cfg_function", ())],
    )


def for_each(sigma: Tensor, x: Tensor) -> Tensor:
    """Return a level for each of x, on its device."""
    return sigma.to(x.device).expand(len(x)).clone()
