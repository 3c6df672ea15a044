"""Control-LoRAs: ControlNets as low-rank changes of the UNet that they steer (Stability AI, 2023), original layout.

What a file does not have is the UNet's own. Not compared with the reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Pair
from nodes.models.patch import Patch, patched
from nodes.models.weights import TensorInfo, Weights

MARKER = "lora_controlnet"
"""The name of a tensor without content that every such file has."""

SHARED = ("time_embed.", "label_emb.", "input_blocks.", "middle_block.")
OWN = ("input_hint_block.", "zero_convs.", "middle_block_out.")
"""What names begin with: of tensors that the UNet has, too, and of those that it has not."""


def is_one(weights: Weights) -> bool:
    """Tell whether a file holds a control-LoRA."""
    return MARKER in weights.infos


def unused(weights: Weights) -> tuple[str, ...]:
    """Return the tensors that no control-LoRA has."""
    return tuple(name for name in weights.infos if name != MARKER and not name.startswith((*SHARED, *OWN)))


def joined(weights: Weights, base: Weights, unet: Network, patches: Sequence[Patch] = ()) -> Weights:
    """Return the ControlNet that a control-LoRA makes of a UNet under patches, in the original layout.

    Reads headers only; tensors are made when they are asked for. Raises ModelError where the two do not fit.
    """
    parameters = {name: parameter for parameter, name in unet.originals.items() if name.startswith(SHARED)}
    shapes = {name: unet.shape(base, parameter) for name, parameter in parameters.items()}
    pairs: dict[str, Pair] = {}
    for name in shapes:
        up, down = (f"{name.removesuffix('.weight')}.{part}" for part in ("up", "down"))
        if up in weights.infos and down in weights.infos:
            pairs[name] = Pair(up, down)
    taken = {MARKER, *(part for pair in pairs.values() for part in pair.names)}
    own = {name: info for name, info in weights.infos.items() if name not in taken}
    _check(weights, base, shapes, pairs, own)

    def tensor(name: str) -> Tensor:
        if name in own:
            return weights.tensor(name)
        weight = patched(unet.tensor(base, parameters[name]).float(), parameters[name], patches)
        if name not in pairs:
            return weight
        product, factor = pairs[name].added(lambda part: weights.tensor(part).float(), weight)
        return weight + product * factor

    infos = {**{name: TensorInfo("F32", shape) for name, shape in shapes.items()}, **own}
    return replace(weights, metadata=base.metadata, infos=infos, tensor=tensor)


def _check(
    weights: Weights,
    base: Weights,
    shapes: Mapping[str, Sequence[int]],
    pairs: Mapping[str, Pair],
    own: Mapping[str, TensorInfo],
) -> None:
    """Raise ModelError where a tensor of the file is no change of a weight of the UNet, and takes the place of none."""
    wrong = [pair.up for name, pair in pairs.items() if not pair.fits(weights, shapes[name])]
    wrong += [name for name, info in own.items() if name.startswith(SHARED) and shapes.get(name) != info.shape]
    if wrong:
        raise ModelError(
            f"{weights.path.name} does not fit {base.path.name}: it is a control-LoRA for another model.",
            got=f"{wrong[0]} {weights.shape(wrong[0])}",
            expected=f"changes of the weights of {base.path.name}",
            hint="Choose a control-LoRA that was made for the family of the model.",
        )
