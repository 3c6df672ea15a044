"""Guidance as a recipe says it, over the network that it names."""

from collections.abc import Sequence

from nodes.recipes import Guider
from nodes.sampling.guidance import Guidance, Part, dual, perpendicular
from nodes.sampling.prediction import Predictor


def guidance(guider: Guider, predict: Predictor, sides: Sequence[Sequence[Part]]) -> Guidance:
    """Return the denoiser of a guider, from a predictor and a sequence of parts for each of its sides."""
    positive, negative, *others = (*sides, ())[: max(2, len(sides))]
    match guider.rule:
        case "classifier_free":
            return Guidance(predict, positive, negative, guider.settings["scale"])
        case "dual":
            return Guidance(predict, positive, negative, rule=dual(**guider.settings), others=others)
        case "perpendicular":
            return Guidance(predict, positive, negative, rule=perpendicular(**guider.settings), others=others)
