"""``model_options``: what foreign code asks a run to do, fitted to the seams of sampling."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from nodes.foreign import ForeignOptions, Guiding
from nodes.models.hooks import HOOKS
from nodes.models.sample import SIDE
from nodes.packs.objects import network, run
from nodes.packs.objects.base_model import BaseModel
from nodes.packs.objects.members import Members, no_member
from nodes.packs.objects.run import RunModel, Side, for_each
from nodes.sampling.guidance import CONCAT, CONTEXT, Part
from nodes.sampling.prediction import Inputs, Predictor

Function = Callable[..., Any]
Given = Mapping[str, Any]

GUIDING = ("sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function")
KNOWN = (
    *GUIDING, "transformer_options", "disable_cfg1_optimization", "model_function_wrapper", "denoise_mask_function",
)  # fmt: skip


def copied(options: Given) -> dict[str, Any]:
    """Return options that can be changed without changing the given ones: dicts and lists in them are copied."""
    return {name: _copied(value) for name, value in options.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [*value] if isinstance(value, list) else value


def is_empty(options: Given) -> bool:
    """Whether options ask for nothing."""
    return not any(_asks(value) for name, value in options.items())


def _asks(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_asks, value.values()))
    return len(value) > 0 if isinstance(value, list | tuple) else value is not None and value is not False


def is_same(one: Any, other: Any) -> bool:
    """Whether options ask for the same: they hold the same objects at the same places."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one is other or (isinstance(one, bool | int | float | str) and one == other)


def foreign_options(given: Given, model: BaseModel) -> ForeignOptions:
    """Return the option of a recipe for what foreign code put into ``model_options``.

    ``model`` is what its functions get as the model. Raises NodeFailure where something is not offered.
    """
    for name, value in given.items():
        if name not in KNOWN and value:
            raise no_member("MODEL", f"model_options[{name!r}]")
    inside = given.get("transformer_options", {})
    network.check(inside)
    wrapper, mask = given.get("model_function_wrapper"), given.get("denoise_mask_function")

    def guiding(predict: Predictor, sides: Sequence[Sequence[Part]]) -> Guiding:
        positive, negative, *_ = (*(Side(side) for side in sides), None)
        return run.guiding(given, RunModel(model, predict), positive, negative)

    return ForeignOptions(
        given,
        guiding if any(given.get(name) for name in GUIDING) else None,
        _around(wrapper, inside) if wrapper or network.is_patched(inside) else None,
        _mask_at(mask, model) if mask else None,
    )


class Sampling(Members):
    """What a function over masks gets as the model: the model itself is its ``inner_model``."""

    kind = "the model of a mask function"

    def __init__(self, model: Any) -> None:
        self.inner_model = model


def _mask_at(function: Function, model: Any) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def mask_at(sigmas: Tensor, mask: Tensor, sigma: Tensor) -> Tensor:
        told = {"model": Sampling(model), "sigmas": sigmas}
        found: Tensor = function(for_each(sigma, mask), mask, extra_options=told)
        return found

    return mask_at


def _around(wrapper: Function | None, inside: Given) -> Callable[[Predictor, int, Tensor], Predictor]:
    """Return what puts a wrapper and patches around the predictor of a run.

    A wrapper is called as ``wrapper(apply, {"input", "timestep", "c", "cond_or_uncond"})``; it calls
    ``apply(x, sigma, **c)``. All tensors that the network gets are in ``c``, with a row for each of x.
    """

    def around(predict: Predictor, batch: int, sigmas: Tensor) -> Predictor:
        def call(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
            sides = [int(side > 0) for side in inputs[SIDE][::batch]]
            told = {"cond_or_uncond": sides, "sigmas": for_each(sigma, x), "sample_sigmas": sigmas}
            others = {name: value for name, value in inputs.items() if not isinstance(value, Tensor)}

            def apply(x: Tensor, t: Tensor, **c: Any) -> Tensor:
                options = c.pop("transformer_options", {})
                hooks = (network.patched(options, x),) if network.is_patched(options) else ()
                tensors = {OWN_NAMES.get(name, name): value for name, value in c.items() if value is not None}
                hooked = {HOOKS: (*others.get(HOOKS, ()), *hooks)} if hooks else {}
                return predict(x, t.flatten()[0].to(sigma), {**others, **tensors, **hooked})

            c: dict[str, Any] = {NAMES.get(name, name): inputs[name] for name in inputs.keys() - others.keys()}
            c["transformer_options"] = {**copied(inside), **told}
            t = for_each(sigma, x)
            if wrapper is None:
                return apply(x, t, **c)
            asked = {"input": x, "timestep": t, "c": c, "cond_or_uncond": sides}
            found: Tensor = wrapper(apply, asked)
            return found

        return call

    return around


NAMES = {CONTEXT: "c_crossattn", CONCAT: "c_concat"}
OWN_NAMES = {foreign: own for own, foreign in NAMES.items()}
"""What foreign code calls the inputs of a network."""
