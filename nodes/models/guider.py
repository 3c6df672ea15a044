"""Guidance as a recipe says it, over the network that it names."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nodes.recipes import Guider, PerpendicularGuidance, RescaledGuidance
from nodes.sampling.guidance import Guidance, Part, classifier_free, dual, perpendicular, rescaled
from nodes.sampling.prediction import Predictor


def resolved(guider: Guider) -> Guider:
    """Return a guider that says what options of its model make of classifier-free guidance between two sides."""
    apart = guider.model.option(PerpendicularGuidance)
    if apart is None or guider.rule != "classifier_free" or len(guider.sides) < 2:
        return guider
    settings = {**guider.settings, "negative_scale": apart.negative_scale}
    return replace(guider, sides=(*guider.sides, apart.empty), rule="perpendicular", settings=settings)


def guidance(guider: Guider, predict: Predictor, sides: Sequence[Sequence[Part]]) -> Guidance:
    """Return the denoiser of a guider, from a predictor and a sequence of parts for each of its sides."""
    positive, negative, *others = (*sides, ())[: max(2, len(sides))]
    pulled, settings = guider.model.option(RescaledGuidance), guider.settings
    between = partial(rescaled, multiplier=pulled.multiplier) if pulled else classifier_free
    match guider.rule:
        case "classifier_free":
            rule = between(settings["scale"]) if pulled else None
            return Guidance(predict, positive, negative, settings["scale"], rule)
        case "dual":
            return Guidance(predict, positive, negative, rule=dual(**settings, inner=between), others=others)
        case "perpendicular":
            return Guidance(predict, positive, negative, rule=perpendicular(**settings), others=others)
