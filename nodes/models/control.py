"""ControlNets that prompts carry: made ready for a run, then called beside the UNet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from engine.errors import ModelError
from nodes.models import control_files
from nodes.models.adapter import Adapter
from nodes.models.controlnet import Controlnet
from nodes.models.families import t2i_adapter
from nodes.models.families.checkpoint import Network
from nodes.models.hooks import HOOKS, gligen
from nodes.models.pool import Pool
from nodes.recipes import Cond, Conditioning, ControlNet, Model
from nodes.sampling.guidance import Part
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Inputs, Predictor

CONTROLS = "controls"
"""The input of a network that holds a tuple of Applied. Pictures are inputs too, so that they are batched."""

TOLD = "controlnet_context"
"""The input (batch, tokens, width) that holds the prompt that ControlNets get, where it is not that of the network."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A ControlNet in a run: ``picture`` names its input; it counts while first_sigma >= sigma >= last_sigma."""

    net: Controlnet | Adapter
    picture: str
    strength: float
    first_sigma: float
    last_sigma: float


def spread(sides: Sequence[Conditioning]) -> tuple[Conditioning, ...]:
    """Return the sides of a guidance, the positive one first, with ControlNets that were applied to both of them.

    They go from the positive prompts to those of each other side in turn, unless one of these has a ControlNet of its
    own. Prompts with an area, or for the rectangle around a mask, neither give nor take.
    """
    positive, *others = sides
    given = [
        cond.options["control"] for cond in positive.entries if cond.options.get("control_both") and not _has_area(cond)
    ]
    return positive, *(_given(side, given) for side in others)


def _given(side: Conditioning, given: Sequence[Any]) -> Conditioning:
    entries = list(side.entries)
    places = [place for place, cond in enumerate(entries) if not _has_area(cond)]
    if not places or any("control" in entries[place].options for place in places):
        return side
    for turn, controls in enumerate(given):
        place = places[turn % len(places)]
        plain = side.entries[place]
        steered = replace(plain, options={**plain.options, "control": controls})
        if turn < len(places):
            entries[place] = steered
        else:
            entries.append(steered)
    return Conditioning(tuple(entries))


def _has_area(cond: Cond) -> bool:
    return "area" in cond.options or ("mask" in cond.options and bool(cond.options.get("set_area_to_bounds")))


def steered(
    parts: Sequence[Part], side: Conditioning, pool: Pool, model: Model, levels: NoiseLevels
) -> tuple[Part, ...]:
    """Return the parts of a side, one for each of its prompts, with the ControlNets and boxes that steer them.

    Raises:
        ModelError: one is made for another family of models.
    """
    steering = [inputs(cond, pool, model, levels) | _grounding(cond, pool) for cond in side.entries]
    return tuple(
        replace(part, inputs={**part.inputs, **steers}, steering=frozenset(steers))
        for part, steers in zip(parts, steering, strict=True)
    )


def _grounding(cond: Cond, pool: Pool) -> dict[str, Any]:
    """Return the hook that lets the network attend to the boxes of a prompt."""
    if "gligen" not in cond.options:
        return {}
    model, boxes = cond.options["gligen"]
    return {HOOKS: (gligen.grounded(pool.grounding(model), boxes),)}


def inputs(cond: Cond, pool: Pool, model: Model, levels: NoiseLevels) -> dict[str, Any]:
    """Return what the network gets for the ControlNets of a prompt, besides what it gets for the prompt.

    Raises:
        ModelError: one is made for another family of models.
    """
    applied: list[Applied] = []
    found: dict[str, Any] = {}
    for place, control in enumerate(cond.options.get("control", ())):
        network = _fitting(control.net, pool, model)
        name = f"picture_{place}"
        channels = network.config["conditioning_channels"]
        found[name] = control.image[..., :channels].movedim(-1, 1).to(pool.device)
        sigmas = levels.sigma_at(control.start), levels.sigma_at(control.end)
        applied.append(Applied(pool.controlnet(control.net, model), name, control.strength, *sigmas))
    if applied and "cross_attn_controlnet" in cond.options:
        found[TOLD] = _told(cond).to(pool.device)
    return {CONTROLS: tuple(applied), **found} if applied else {}


def _told(cond: Cond) -> Tensor:
    told: Tensor = cond.options["cross_attn_controlnet"]
    if told.shape[-1] != cond.context.shape[-1]:
        raise ModelError(
            "The prompt of a ControlNet was encoded for another family of models than the prompt that it steers.",
            got=f"width {told.shape[-1]}",
            expected=f"width {cond.context.shape[-1]}",
            hint="Encode both with the text encoder that belongs to the model.",
        )
    return told


def _fitting(net: ControlNet, pool: Pool, model: Model) -> Network:
    (_, network), unet = control_files.opened(pool, net, model), pool.checkpoint(model.file).unet
    if unet and unet.call:
        raise ModelError(
            f"{pool.weights(net.file).path.name} steers a UNet, and {pool.weights(model.file).path.name} has none.",
            got="a ControlNet for a UNet",
            expected="a model of Stable Diffusion 1, 2 or XL",
            hint="ControlNets for transformers are not supported yet: sample without one.",
        )
    if unet and not _fits(network, unet):
        raise ModelError(
            f"{pool.weights(net.file).path.name} does not fit {pool.weights(model.file).path.name}: "
            "it is a ControlNet for another family of models.",
            got=_build(network),
            expected=_build(unet),
            hint="Choose a ControlNet that was made for the model.",
        )
    return network


def _fits(network: Network, unet: Network) -> bool:
    if "channels" not in network.config:
        own, wanted = _common(network), _common(unet)
        return own[1:] == wanted[1:] and own[0] in (None, wanted[0])
    widths = unet.config["block_out_channels"]
    is_deep = "add_embedding.linear_1.weight" in unet.keys
    is_made_for_deep = network.config["downscale_factor"] == t2i_adapter.XL_FACTOR
    return bool(network.config["channels"][: len(widths)] == widths) and is_deep == is_made_for_deep


def _common(network: Network) -> tuple[int | None, int, tuple[int, ...]]:
    """Return what a ControlNet and its UNet have in common; small ones take no text, so that its width is None."""
    config = network.config
    return config["cross_attention_dim"], config["layers_per_block"], config["block_out_channels"]


def _build(network: Network) -> str:
    """Return in words what a ControlNet and its UNet have in common."""
    config = network.config
    if "channels" in config:
        kind = "SDXL" if config["downscale_factor"] == t2i_adapter.XL_FACTOR else "Stable Diffusion 1"
        return f"an adapter for {kind} of widths {', '.join(map(str, config['channels']))}"
    text, layers, widths = _common(network)
    return f"text width {text or 'any'}, blocks {layers} per level of widths {', '.join(map(str, widths))}"


def ranged(predict: Predictor) -> Predictor:
    """Return the predictor with only those ControlNets that count at the noise level of each call."""

    def call(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        controls: tuple[Applied, ...] = inputs.get(CONTROLS, ())
        if not controls:
            return predict(x, sigma, inputs)
        level = sigma.item()
        active = tuple(each for each in controls if each.first_sigma >= level >= each.last_sigma)
        return predict(x, sigma, {**inputs, CONTROLS: active})

    return call


def residuals(x: Tensor, timestep: Tensor, inputs: Inputs, added: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Call the ControlNets; return the arguments of diffusers' UNet that hold the sum of what they add."""
    skips: list[Tensor] = []
    middle: Tensor | None = None
    features: list[Tensor] = []
    for each in inputs.get(CONTROLS, ()):
        if isinstance(each.net, Adapter):
            own = [feature * each.strength for feature in each.net(x, inputs[each.picture])]
            features = [a + b for a, b in zip(features, own, strict=True)] if features else own
            continue
        more, last = each.net(x, timestep, inputs.get(TOLD, inputs["context"]), inputs[each.picture], added)
        more, last = [skip * each.strength for skip in more], last * each.strength
        skips = [a + b for a, b in zip(skips, more, strict=True)] if skips else more
        middle = last if middle is None else middle + last
    found: dict[str, Any] = {"down_intrablock_additional_residuals": features} if features else {}
    if middle is not None:
        found |= {"down_block_additional_residuals": tuple(skips), "mid_block_additional_residual": middle}
    return found
