"""Hypernetworks: small networks that change what attention makes its keys and values of (NovelAI, 2022).

Files are those of the trainers of 2022: a pair of networks for each width, ``768.0.linear.0.weight`` and so on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.hooks import Call, transformer_blocks
from nodes.models.weights import Weights

NAME = re.compile(r"(\d+)\.([01])\.linear\.?(\d+)\.(weight|bias)")
ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "linear": nn.Identity, "relu": nn.ReLU, "leakyrelu": nn.LeakyReLU, "elu": nn.ELU, "swish": nn.Hardswish,
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softsign": nn.Softsign, "silu": nn.SiLU, "gelu": nn.GELU,
    "mish": nn.Mish, "hardswish": nn.Hardswish,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Nets:
    """A hypernetwork: two networks by the width that they are for, the first for keys, the second for values."""

    pairs: Mapping[int, tuple[nn.Module, nn.Module]]

    @property
    def modules(self) -> list[nn.Module]:
        return [module for pair in self.pairs.values() for module in pair]


def widths(weights: Weights) -> set[int]:
    """Return the widths that a hypernetwork is for. Reads a header only. Raises ModelError where it is none."""
    sides = {(int(found[1]), found[2]) for name in weights.infos if (found := NAME.fullmatch(name))}
    known = {width for width, _ in sides}
    if not sides or len(sides) != 2 * len(known):
        raise ModelError(
            f"{weights.path.name} is not a hypernetwork",
            got=", ".join([*weights.infos][:3]),
            expected="two networks of linear layers for each width",
        )
    return known


def fit(weights: Weights, base: Weights, network: Network) -> None:
    """Raise ModelError where a file is no hypernetwork, or none for a UNet, given with its file. Reads headers only."""
    own = {network.shape(base, name)[1] for name in network.keys if ATTENDING.search(name)}
    found = widths(weights)
    if not own & found:
        raise ModelError(
            f"{weights.path.name} does not fit {base.path.name}: it is made for another family of models",
            got=f"widths {', '.join(map(str, sorted(found)))}",
            expected=f"some of {', '.join(map(str, sorted(own)))}",
        )


ATTENDING = re.compile(r"\.attn[12]\.to_k\.weight$")


def hypernetwork(weights: Weights, device: torch.device, dtype: torch.dtype) -> Nets:
    """Build a hypernetwork. Raises ModelError where the file is something else."""
    tensors: dict[tuple[int, int], dict[tuple[int, str], Tensor]] = {}
    for name in weights.infos:
        if found := NAME.fullmatch(name):
            width, side, place, leaf = int(found[1]), int(found[2]), int(found[3]), found[4]
            tensors.setdefault((width, side), {})[place, leaf] = weights.tensor(name).to(device, dtype)
    named = weights.metadata.get("activation_func", "linear").strip('"').lower()
    if named not in ACTIVATIONS:
        raise ModelError(
            f"{weights.path.name} has an activation that is not known", got=named, expected=sorted(ACTIVATIONS)
        )
    ends = weights.metadata.get("activate_output") == "true"

    def net(width: int, side: int) -> nn.Module:
        return _net(tensors[width, side], ACTIVATIONS[named], ends)

    return Nets({width: (net(width, 0), net(width, 1)) for width in widths(weights)})


def _net(tensors: Mapping[tuple[int, str], Tensor], activation: type[nn.Module], ends: bool) -> nn.Module:
    """Build linear layers and the norms between them, with an activation after each; behind the last if it ``ends``."""
    places = sorted({place for place, _ in tensors})
    linear = [place for place in places if tensors[place, "weight"].ndim == 2]
    layers: list[nn.Module] = []
    for place in places:
        weight, bias = tensors[place, "weight"], tensors.get((place, "bias"))
        layer: nn.Module
        if place in linear:
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
        else:
            layer = nn.LayerNorm(weight.shape[0])
        layer.load_state_dict({"weight": weight, **({} if bias is None else {"bias": bias})}, assign=True)
        layers.append(layer)
        if place in linear and (ends or place != linear[-1]):
            layers.append(activation())
    return nn.Sequential(*layers).eval().requires_grad_(False)


def changed(nets: Nets, strength: float) -> Any:
    """Return the hook: keys and values are made of x + strength * net(x), in every attention of a width."""

    def put(module: Any, call: Call) -> Iterator[RemovableHandle]:
        for _, block in transformer_blocks(module):
            for attention in (block.attn1, block.attn2):
                for part, side in ((attention.to_k, 0), (attention.to_v, 1)):
                    if part.in_features in nets.pairs:
                        yield part.register_forward_pre_hook(_adder(nets.pairs[part.in_features][side], strength))

    return put


def _adder(net: nn.Module, strength: float) -> Any:
    return lambda _, inputs: (inputs[0] + strength * net(inputs[0]),)
