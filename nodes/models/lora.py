"""LoRA (Hu et al. 2021): which tensors of a file change which weights, and by how much.

W + strength * alpha / rank * (up @ down), summed in float32 over all LoRAs, then cast once. Files may hold the changes
of ``lycoris`` instead.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from engine.errors import ModelError
from nodes.models import lycoris
from nodes.models.families.checkpoint import Network
from nodes.models.lycoris import Hadamard, Kronecker, Read
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS: tuple[tuple[str, str], ...] = (
    (r"\.lora_up\.weight", "up"),
    (r"\.lora_down\.weight", "down"),
    (r"\.alpha", "alpha"),
    (r"\.lora_B(?:\.\w+)?\.weight", "up"),
    (r"\.lora_A(?:\.\w+)?\.weight", "down"),
    (r"(?:\.lora|\.lora_linear_layer|_lora)\.up\.weight", "up"),
    (r"(?:\.lora|\.lora_linear_layer|_lora)\.down\.weight", "down"),
    *((rf"\.{ending}", role) for ending, role in {**lycoris.HADAMARD, **lycoris.KRONECKER}.items()),
)
"""How the names of kohya's, diffusers' and LyCORIS' files end, and the role of the tensor."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The names of one low-rank change in its file: up (out, rank), down (rank, in), and alpha or None for rank."""

    up: str
    down: str
    alpha: str | None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.up, self.down, self.alpha) if self.alpha else (self.up, self.down)

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        up, down = file.shape(self.up), file.shape(self.down)
        return up[:1] == tuple(weight[:1]) and down[1:2] == tuple(weight[1:2]) and up[1] == down[0]

    def added(self, read: Read, shape: Sequence[int]) -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, as a product and its factor."""
        up, down = read(self.up), read(self.down)
        rank = down.shape[0]
        alpha = read(self.alpha).item() if self.alpha else rank
        return (up.flatten(1) @ down.flatten(1)).reshape(tuple(shape)), alpha / rank


Change: TypeAlias = Pair | Hadamard | Kronecker


@dataclass(frozen=True, slots=True)
class Patch:
    """A LoRA file fitted to a network: ``pairs`` by the name of the weight in the module."""

    weights: Weights
    pairs: Mapping[str, Change]
    strength: float

    def touches(self, parameter: str) -> bool:
        return parameter in self.pairs

    def applied(self, weight: "Tensor", parameter: str) -> "Tensor":
        """Return a weight (float32) with its change added."""

        def read(name: str) -> "Tensor":
            return self.weights.tensor(name).to(weight.device).float()

        product, factor = self.pairs[parameter].added(read, weight.shape)
        return weight + self.strength * product * factor


def pairs(names: Iterable[str]) -> dict[str, Change]:
    """Return the complete changes of a file by the written name of their module."""
    parts: dict[str, dict[str, str]] = {}
    for name in names:
        for ending, role in ENDINGS:
            if found := re.search(f"{ending}$", name):
                parts.setdefault(_module(name[: found.start()]), {})[role] = name
                break
    changes = {module: _change(roles) for module, roles in parts.items()}
    return {module: change for module, change in changes.items() if change}


def _change(roles: Mapping[str, str]) -> Change | None:
    if "up" in roles and "down" in roles:
        return Pair(roles["up"], roles["down"], roles.get("alpha"))
    return lycoris.change(roles)


def _module(written: str) -> str:
    """Return the module that a name means; early diffusers files name the processor of an attention instead."""
    if ".processor." not in written:
        return written
    module = written.replace(".processor.", ".")
    return module + ".0" if module.endswith(".to_out") else module


def targets(network: Network) -> dict[str, str]:
    """Return every name that LoRA files have for a weight of the network -> its name in the module."""
    found: dict[str, str] = {}
    for parameter, source in network.keys.items():
        if not parameter.endswith(".weight"):
            continue
        names = {parameter, network.originals.get(parameter, parameter)}
        if parameter not in network.cuts:
            names.add(source[len(network.prefix) :])
        for name in names:
            module = name.removesuffix(".weight")
            for prefix in network.adapters:
                found[prefix + (module.replace(".", "_") if prefix.endswith("_") else module)] = parameter
    return found


def fit(lora: Weights, base: Weights, network: Network) -> dict[str, Change]:
    """Return the pairs of a LoRA that belong to a network of the file ``base``, by the name of the weight.

    Reads headers only. Raises ModelError where a shape differs: the LoRA is made for another family.
    """
    names = targets(network)
    fitted = {names[module]: pair for module, pair in pairs(lora.infos).items() if module in names}
    for parameter, pair in fitted.items():
        weight = network.shape(base, parameter)
        if len(weight) < 2 or not pair.fits(lora, weight):
            shapes = ", ".join(f"{name.rpartition('.')[2]} {lora.shape(name)}" for name in pair.names)
            raise ModelError(
                f"{lora.path.name} does not fit {base.path.name}: it is made for another model",
                got=f"{shapes} for {parameter}",
                expected=f"a change of a weight of shape {weight}",
            )
    return fitted


def check(lora: Weights, parts: Iterable[tuple[Weights, Network]]) -> tuple[str, ...]:
    """Return the tensors of a LoRA that belong to none of the networks, each given with its file. Reads headers only.

    Raises ModelError where the file is no LoRA or nothing in it belongs.
    """
    used = {name for base, network in parts for pair in fit(lora, base, network).values() for name in pair.names}
    if not used:
        found = pairs(lora.infos)
        raise ModelError(
            f"{lora.path.name} changes nothing in this model" if found else f"{lora.path.name} is not a LoRA",
            got=f"{len(found)} changes, the first for {next(iter(found))}" if found else f"{len(lora.infos)} tensors",
            expected="a LoRA for this family of models, in kohya's, diffusers' or LyCORIS' layout",
        )
    return tuple(name for name in lora.infos if name not in used)
