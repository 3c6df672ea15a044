"""From a description and a file to a module: made without memory, then given its tensors one by one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.patch import Patch, Rounding, patched, touched, untouched
from nodes.models.precision import Casts
from nodes.models.weights import DTYPES, Weights
from nodes.models.wide import SCALE, widen


@dataclass(frozen=True, slots=True)
class Source:
    """Where the tensors of a network come from: a view of the file, moved to the device, patched and cast.

    Of a network that keeps its matrices narrow the first of the ``casts`` is the widest that they are kept in, and the
    last what everything else is cast to; see ``kept``.

    ``shared`` gives tensors of the same network that are taken as they are: those that no patch changes, or that are
    changed already.
    """

    network: Network
    weights: Weights
    device: torch.device
    casts: Casts
    patches: Sequence[Patch] = ()
    shared: Mapping[str, Tensor] = field(default_factory=dict)

    def tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        """Return a tensor of the module, of a shape that holds as many numbers as it has."""
        if name in self.shared and not (name.endswith(SCALE) and self.is_touched(name)):
            return self.shared[name].to(self.device)
        tensor = self.network.tensor(self.weights, name).reshape(shape).to(self.device)
        if self.is_touched(name):
            is_factor = name.endswith(SCALE)
            tensor = torch.ones_like(tensor) if is_factor else patched(self._whole(name, tensor), name, self.patches)
        if self.network.keeps:
            return tensor.to(self.kept(name))
        for dtype in self.casts:
            tensor = tensor.to(dtype)
        is_convolution = tensor.ndim == 4 and self.device.type == "cuda"  # elsewhere they are laid out anew anyway
        return tensor.contiguous(memory_format=torch.channels_last) if is_convolution else tensor

    def is_touched(self, name: str) -> bool:
        """Tell whether a patch changes a tensor. The factor of a matrix that is patched becomes 1."""
        if name.endswith(SCALE):
            name = f"{name.removesuffix(SCALE)}weight"
        return touched(name, self.patches)

    def kept(self, name: str) -> torch.dtype:
        """Return the dtype that a tensor is kept in. Reads headers only.

        A matrix that is patched has 16 bits at least, unless it is rounded to fewer after all other patches.
        """
        if not self.network.keeps or len(self.network.shape(self.weights, name)) != 2:
            return self.casts[-1]
        stored: torch.dtype = getattr(torch, DTYPES[self.weights.infos[self.network.keys[name]].dtype][0])
        touching = [patch for patch in self.patches if patch.touches(name)]
        if touching and isinstance(touching[-1], Rounding):
            return touching[-1].dtype
        if touching and stored.itemsize == 1:
            stored = torch.bfloat16
        return stored if stored.itemsize <= self.casts[0].itemsize else self.casts[0]

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        """Return a tensor in float32 with its factor in it."""
        scale = f"{name.removesuffix('weight')}{SCALE}"
        if scale not in self.network.keys:
            return tensor.float()
        return tensor.float() * self.network.tensor(self.weights, scale).to(tensor.device).float()


def empty(source: Source) -> nn.Module:
    """Return the module of a network without memory, in the dtype that its tensors will have.

    Raises ModelError where the file has not all of them.
    """
    with torch.device("meta"):
        module = source.network.build(source.network.config)
        if source.network.keeps:
            names = [name for name in source.network.keys if name.endswith(SCALE)]
            widen(module, frozenset(name.removesuffix(f".{SCALE}") for name in names))
    _check(source.network, source.weights, module.state_dict())
    nn.Module.to(module, source.casts[-1])  # diffusers' own warns that it does
    return module.eval().requires_grad_(False)


def filled(source: Source, later: Collection[str] = ()) -> nn.Module:
    """Return the module of a network with its tensors, but for those of the submodules named in ``later``.

    A tensor that is already as wanted stays a view of the file. Raises ModelError as ``empty`` does.
    """
    module, prefixes = empty(source), tuple(f"{name}." for name in later)
    tensors = {
        name: source.tensor(name, shaped.shape)
        for name, shaped in module.state_dict().items()
        if not name.startswith(prefixes)
    }
    module.load_state_dict(tensors, assign=True, strict=not later)
    return module


def assemble(
    network: Network,
    weights: Weights,
    device: torch.device,
    casts: Casts,
    patches: Sequence[Patch] = (),
    shared: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Return the module of a network in eval mode, whole: what patches leave of ``shared`` is taken from there.

    Raises ModelError where its file does not fit it.
    """
    return filled(Source(network, weights, device, casts, patches, untouched(shared or {}, patches)))


def _check(network: Network, weights: Weights, wanted: Mapping[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in network.keys]
    if missing:
        raise ModelError(
            f"{weights.path.name} lacks {len(missing)} of the {len(wanted)} tensors of a network",
            got=f"no {', '.join(missing[:3])}",
            expected="a whole checkpoint",
        )
    for name, empty in wanted.items():
        shape = network.shape(weights, name)
        if _essential(shape) != _essential(empty.shape):
            raise ModelError(
                f"{weights.path.name} has a tensor of the wrong shape",
                got=f"{network.keys[name]} {shape}",
                expected=tuple(empty.shape),
            )


def _essential(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape without the ones at its end: a 1x1 convolution and a linear layer hold the same numbers."""
    sizes = list(shape)
    while sizes and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)
