"""LoRA (Hu et al. 2021): which tensors of a file change which weights, and by how much.

W + strength * alpha / rank * (up @ down), summed in float32 over all LoRAs, then cast once. Files may hold the changes
of ``lycoris``, ``orthogonal`` or ``glora`` instead, or whole differences, and magnitudes of ``dora`` beside them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from engine.errors import ModelError
from nodes.models import glora, lycoris, orthogonal
from nodes.models.change import Change, Read
from nodes.models.dora import Decomposed
from nodes.models.families.checkpoint import Cut, Network
from nodes.models.families.kinds import looks_like
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

ALGORITHMS = {**lycoris.HADAMARD, **lycoris.KRONECKER, **orthogonal.ROTATION, **glora.PRODUCT}

ENDINGS: tuple[tuple[str, str], ...] = (
    (r"\.lora_up\.weight", "up"),
    (r"\.lora_down\.weight", "down"),
    (r"\.lora_mid\.weight", "mid"),
    (r"\.alpha", "alpha"),
    (r"\.dora_scale", "magnitude"),
    (r"\.lora_magnitude_vector(?:\.\w+)*", "output magnitude"),
    (r"\.(?:diff|w_norm)", "difference"),
    (r"\.(?:diff_b|b_norm)", "bias difference"),
    (r"\.lora_B(?:\.\w+)?\.weight", "up"),
    (r"\.lora_A(?:\.\w+)?\.weight", "down"),
    (r"(?:\.lora|\.lora_linear_layer|_lora)\.up\.weight", "up"),
    (r"(?:\.lora|\.lora_linear_layer|_lora)\.down\.weight", "down"),
    *((rf"\.{ending}", role) for ending, role in ALGORITHMS.items()),
)
"""How the names of kohya's, diffusers' and LyCORIS' files end, and the role of the tensor."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The names of one low-rank change in its file: up (out, rank), down (rank, in), and alpha or None for rank.

    With a ``mid`` (rank, rank, height, width) it is that of a convolution: down and up are its 1x1 neighbours.
    Alpha is one number. A weight of one dimension, as norms have, has no such change.
    """

    up: str
    down: str
    alpha: str | None = None
    mid: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.up, self.down, self.alpha, self.mid) if name)

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        up, down = file.shape(self.up), file.shape(self.down)
        if self.mid:
            mid, kernel = file.shape(self.mid), prod(down[2:])
        else:
            mid, kernel = (*down[:1], *down[:1], *down[2:]), 1
        return (
            min(map(len, (up, down, mid, weight))) >= 2
            and mid[:2] == (prod(up[1:]), down[0])
            and (up[0], down[1], prod(mid[2:]), kernel) == (*weight[:2], prod(weight[2:]), 1)
            and down[0] > 0
            and (self.alpha is None or prod(file.shape(self.alpha)) == 1)
        )

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, as a product and its factor."""
        up, down = read(self.up), read(self.down)
        rank = down.shape[0]
        alpha = read(self.alpha).item() if self.alpha else rank
        if self.mid:
            down = (read(self.mid).movedim(1, -1) @ down.flatten(1)).movedim(-1, 1)
        return (up.flatten(1) @ down.flatten(1)).reshape(weight.shape), alpha / rank


@dataclass(frozen=True, slots=True)
class Difference:
    """The name of a tensor of a file that is added to a weight or a bias as it is."""

    name: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        shape = file.shape(self.name)
        return shape[:2] == tuple(weight[:2]) and prod(shape) == prod(weight)

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, and 1."""
        return read(self.name).reshape(weight.shape), 1.0


@dataclass(frozen=True, slots=True)
class Patch:
    """A LoRA file fitted to a network: ``changes`` by the name of the weight in the module."""

    weights: Weights
    changes: Mapping[str, Change]
    strength: float

    def touches(self, parameter: str) -> bool:
        return parameter in self.changes

    def applied(self, weight: "Tensor", parameter: str) -> "Tensor":
        """Return a weight (float32) with its change added."""

        def read(name: str) -> "Tensor":
            return self.weights.tensor(name).to(weight.device).float()

        product, factor = self.changes[parameter].added(read, weight)
        return weight + self.strength * product * factor


def changes(names: Iterable[str]) -> dict[str, Change]:
    """Return the complete changes of a file by the written name of their weight, as ``targets`` has them."""
    parts: dict[str, dict[str, str]] = {}
    for name in names:
        for ending, role in ENDINGS:
            if found := re.search(f"{ending}$", name):
                parts.setdefault(_module(name[: found.start()]), {})[role] = name
                break
    made = {f"{module}.weight": _change(roles) for module, roles in parts.items()}
    made |= {
        f"{module}.bias": Difference(roles["bias difference"])
        for module, roles in parts.items()
        if "bias difference" in roles
    }
    return {weight: change for weight, change in made.items() if change}


def _change(roles: Mapping[str, str]) -> Change | None:
    change: Change | None
    if "up" in roles and "down" in roles:
        change = Pair(roles["up"], roles["down"], roles.get("alpha"), roles.get("mid"))
    elif "blocks" in roles:
        change = orthogonal.change(roles)
    elif "difference" in roles:
        change = Difference(roles["difference"])
    else:
        change = lycoris.change(roles) or glora.change(roles)
    for role, is_of_outputs in (("magnitude", False), ("output magnitude", True)):
        if change and role in roles:
            return Decomposed(change, roles[role], is_of_outputs)
    return change


def _module(written: str) -> str:
    """Return the module that a name means.

    PEFT's own files put its wrapper before it. Early diffusers files name the processor of an attention instead, and
    the layers of a text encoder as those of a UNet.
    """
    written = written.replace("base_model.model.", "")
    if ".self_attn.to_" in written:
        module, _, part = written.rpartition(".to_")
        return f"{module}.{part}_proj"
    if ".processor." not in written:
        return written
    module = written.replace(".processor.", ".")
    return module + ".0" if module.endswith(".to_out") else module


OF_WHOLE = (Decomposed, orthogonal.Rotated, glora.Generalized)
"""Changes that depend on the weight itself, so that a part of it does not tell its change."""


@dataclass(frozen=True, slots=True)
class Sliced:
    """The part of a change that belongs to a weight which is a cut of a larger one, as its file has it."""

    change: Change
    cut: Cut

    @property
    def names(self) -> tuple[str, ...]:
        return self.change.names

    def fits(self, file: Weights, weight: Sequence[int]) -> bool:
        """Tell whether this is a change of a weight of a shape."""
        return self.change.fits(file, self._whole(weight))

    def added(self, read: Read, weight: "Tensor") -> tuple["Tensor", float]:
        """Return what is added to a weight at strength 1, as a product and its factor."""
        if isinstance(self.change, Pair):
            up = self.change.up
            return self.change.added(lambda name: self.cut.of(read(name)) if name == up else read(name), weight)
        product, factor = self.change.added(read, weight.new_empty(self._whole(weight.shape)))
        return self.cut.of(product), factor

    def _whole(self, weight: Sequence[int]) -> tuple[int, ...]:
        return weight[0] // self.cut.count * self.cut.parts, *weight[1:]


def targets(network: Network) -> dict[str, list[tuple[str, Cut | None]]]:
    """Return every name that LoRA files have for a weight or a bias of the network -> its names in the module.

    They are the name of a module as it is written, and ".weight" or ".bias" behind it. One of the file may be several
    of the module, each with its cut.
    """
    found: dict[str, list[tuple[str, Cut | None]]] = {}
    for parameter, source in network.keys.items():
        cut = network.cuts.get(parameter)
        names: dict[str, Cut | None] = {network.originals.get(parameter, parameter): cut}
        if cut is None or not cut.is_transposed:
            names[source[len(network.prefix) :]] = cut
        names[parameter] = None
        for name, part in names.items():
            module, _, leaf = name.rpartition(".")
            leaf = "weight" if leaf == "scale" else leaf
            for prefix in network.adapters:
                written = module.replace(".", "_") if prefix.endswith("_") else module
                found.setdefault(f"{prefix}{written}.{leaf}", []).append((parameter, part))
    return found


def fit(lora: Weights, base: Weights, network: Network) -> dict[str, Change]:
    """Return the changes of a LoRA that belong to a network of the file ``base``, by the name of the weight.

    Reads headers only. Raises ModelError where a shape differs: the LoRA is made for another family, or broken; and
    where a change depends on a whole weight of which the network has parts.
    """
    names = targets(network)
    fitted = {
        parameter: Sliced(change, cut) if cut else change
        for weight, change in changes(lora.infos).items()
        for parameter, cut in names.get(weight, ())
    }
    for parameter, change in fitted.items():
        weight = network.shape(base, parameter)
        if isinstance(change, Sliced) and isinstance(change.change, OF_WHOLE):
            raise ModelError(
                f"{lora.path.name} changes weights as a whole that are taken apart here, which is not supported yet",
                got=f"{change.names[0]}, for {parameter}",
                expected="LoRA, LoHa or LoKr, or a file in diffusers' layout",
                hint="choose a LoRA of another algorithm",
            )
        if not change.fits(lora, weight):
            leaves = [name.removesuffix(".weight").rpartition(".")[2] for name in change.names]
            shapes = ", ".join(f"{leaf} {lora.shape(name)}" for leaf, name in zip(leaves, change.names, strict=True))
            raise ModelError(
                f"{lora.path.name} does not fit {base.path.name}: it is made for another model",
                got=f"{shapes} for {parameter}",
                expected=f"a change of a weight of shape {weight}",
            )
    return fitted


TEXT = re.compile(r"lora_te\d?_|text_encoder|text_model")
"""What names of changes of text encoders begin with."""


def check(lora: Weights, parts: Iterable[tuple[Weights, Network]]) -> tuple[str, ...]:
    """Return the tensors of a LoRA that belong to none of the networks, each given with its file. Reads headers only.

    Raises ModelError where the file is no LoRA or nothing in it belongs, or of changes of a diffusion network none:
    several families have one text encoder in common.
    """
    parts, found = [*parts], changes(lora.infos)
    if not found:
        raise ModelError(
            f"{lora.path.name} is not a LoRA that is known",
            got=looks_like(lora),
            expected="a LoRA in kohya's, diffusers' or LyCORIS' layout",
            hint="choose another file, or the node that loads this kind",
        )
    used = {name for base, network in parts for change in fit(lora, base, network).values() for name in change.names}
    main = [weight for weight in found if not TEXT.match(weight)] or [*found]
    if used.isdisjoint(name for weight in main for name in found[weight].names):
        raise ModelError(
            f"{lora.path.name} does not fit {' and '.join({base.path.name: base for base, _ in parts})}: "
            "it is made for another family of models",
            got=f"{len(main)} changes, the first for {main[0]} ({looks_like(lora)})",
            expected="changes of weights that are there",
            hint="choose a LoRA that was made for the family of the model",
        )
    return tuple(name for name in lora.infos if name not in used)
