"""What the file of a ControlNet holds, with what it takes of a model. Reads headers only."""

from typing import TYPE_CHECKING

from nodes.models import control_lora
from nodes.models.families import controlnet, controlnet_union, t2i_adapter
from nodes.models.families.checkpoint import Network
from nodes.models.weights import Weights
from nodes.recipes import ControlNet, Model

if TYPE_CHECKING:
    from nodes.models.pool import Pool


def opened(pool: "Pool", net: ControlNet, model: Model) -> tuple[Weights, Network]:
    """Return the weights and the network of a ControlNet or a T2I-Adapter that steers a model.

    Raises ModelError where it is none, or a control-LoRA for another model.
    """
    weights = pool.weights(net.file)
    if control_lora.is_one(weights):
        unet = pool.network(model)
        patches = pool.patches(model, model.file, unet)
        weights = control_lora.joined(weights, pool.weights(model.file), unet, patches)
        return weights, controlnet.detect(weights)
    network = t2i_adapter.detect(weights) or controlnet.detect(weights)
    if net.base is None or not is_difference(weights):
        return weights, network
    return controlnet.summed(weights, network, pool.weights(net.base), pool.network(Model(net.base))), network


def is_difference(weights: Weights) -> bool:
    """Tell whether a file holds differences from the weights of a model."""
    return controlnet.DIFFERENCE in weights.infos


def unused(weights: Weights) -> tuple[str, ...]:
    """Return the tensors of a file that have no place in a ControlNet. Raises ModelError where it is none."""
    if control_lora.is_one(weights):
        return control_lora.unused(weights)
    network = t2i_adapter.detect(weights) or controlnet.detect(weights)
    used = {*network.keys.values(), controlnet.DIFFERENCE}
    return tuple(name for name in weights.infos if name not in used)


def types(weights: Weights) -> tuple[str, ...]:
    """Return the types of pictures that a union ControlNet tells apart; none of another."""
    if control_lora.is_one(weights) or t2i_adapter.detect(weights):
        return ()
    return controlnet_union.TYPES[: controlnet.detect(weights).config.get("control_types", 0)]
