"""Guidance as a recipe says it, over the network that it names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from nodes.foreign import ForeignGuider, ForeignOptions
from nodes.models import skipping
from nodes.models.hooks import HOOKS, Hook, middle
from nodes.network_options import GuidanceChange, PerturbedAttention, SelfAttention, SkippedBlocks
from nodes.pixels.operations import operation
from nodes.recipes import Guider, LatentOperation, Model, PerpendicularGuidance, RescaledGuidance
from nodes.sampling.corrections import Corrected, Correction, blurred_attention, perturbed
from nodes.sampling.guidance import Guidance, Part, Scaled, classifier_free, dual, perpendicular, rescaled
from nodes.sampling.guidance_changes import Changes, changes
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Predictor
from nodes.sampling.seam import GuidedDenoiser


def resolved(guider: Guider) -> Guider:
    """Return a guider that says what options of its model make of classifier-free guidance between two sides."""
    apart = guider.model.option(PerpendicularGuidance)
    is_usual = guider.rule == "classifier_free" and len(guider.sides) > 1 and not isinstance(guider, ForeignGuider)
    if apart is None or not is_usual:
        return guider
    settings = {**guider.settings, "negative_scale": apart.negative_scale}
    return replace(guider, sides=(*guider.sides, apart.empty), rule="perpendicular", settings=settings)


def guidance(guider: Guider, predict: Predictor, sides: Sequence[Sequence[Part]]) -> Guidance:
    """Return the denoiser of a guider, from a predictor and a sequence of parts for each of its sides."""
    positive, negative, *others = (*sides, ())[: max(2, len(sides))]
    settings = guider.settings
    between = _between(guider.model, predict, sides)
    match guider.rule:
        case "classifier_free":
            rule = None if between is classifier_free else between(settings["scale"])
            foreign = guider.model.option(ForeignOptions)
            always = foreign is not None and foreign.guiding is not None
            return Guidance(predict, positive, negative, settings["scale"], rule, always=always)
        case "dual":
            return Guidance(predict, positive, negative, rule=dual(**settings, inner=between), others=others)
        case "perpendicular":
            return Guidance(predict, positive, negative, rule=perpendicular(**settings), others=others)


def _between(model: Model, predict: Predictor, sides: Sequence[Sequence[Part]]) -> Scaled:
    """Return guidance between two sides as the options of a model have it. Of rules the last one counts."""
    foreign = model.option(ForeignOptions)
    guiding = foreign.guiding(predict, sides) if foreign and foreign.guiding else None
    inner: Scaled = classifier_free
    named: list[tuple[str, Mapping[str, Any]]] = []
    for option in model.options:
        match option:
            case RescaledGuidance(multiplier=multiplier):
                inner = partial(rescaled, multiplier=multiplier)
            case ForeignOptions() if guiding and guiding.rule:
                inner = guiding.rule
            case GuidanceChange(name=name, settings=settings):
                named.append((name, settings))
            case LatentOperation(name=name, settings=settings):
                named.append(("operated", {"operation": operation(name, settings)}))
    changed = changes(named)
    if guiding:
        changed = Changes([*changed.before, *guiding.before], [*changed.after, *guiding.after])
    return changed.around(inner) if changed.before or changed.after else inner


def corrected(guider: Guider, guided: Guidance, levels: NoiseLevels) -> GuidedDenoiser:
    """Return a denoiser under what options of its model add to guidance, in their order."""
    corrections: list[Correction] = []
    needs_uncond = False
    for option in guider.model.options:
        match option:
            case PerturbedAttention(scale=scale) if scale:
                hindered = _hooked(guided.positive, middle.not_attending)
                corrections.append(perturbed(guided.predict, hindered, scale))
            case SkippedBlocks(scale=None) if guided.negative:
                left_out = skipping.skip(option, levels)
                guided = replace(guided, negative=skipping.skipping(guided.negative, left_out))
            case SkippedBlocks(scale=float()):
                corrections.append(skipping.away(guided, option, skipping.skip(option, levels)))
            case SelfAttention(scale=scale, blur=blur) if scale and guided.negative:
                needs_uncond, attended = True, middle.Attended()
                guided = replace(guided, negative=_hooked(guided.negative, attended))
                soft = partial(middle.blurred, sigma=blur)
                corrections.append(blurred_attention(guided.predict, guided.negative, attended.noted, soft, scale))
    return Corrected(guided, corrections, needs_uncond) if corrections else guided


def _hooked(parts: Sequence[Part], hook: Hook) -> tuple[Part, ...]:
    """Return parts that the network is called for with one more hook."""
    return tuple(replace(p, inputs={**p.inputs, HOOKS: (*p.inputs.get(HOOKS, ()), hook)}) for p in parts)
