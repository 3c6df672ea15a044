"""From a description and a file to a module: made without memory, then given its tensors one by one."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.patch import Patch, patched
from nodes.models.precision import Casts
from nodes.models.weights import Weights


def assemble(
    network: Network,
    weights: Weights,
    device: torch.device,
    casts: Casts,
    patches: Sequence[Patch] = (),
    shared: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Return the module of a network in eval mode, its weights cast and on the device.

    A tensor that is already as wanted stays a view of the file. ``shared`` gives tensors of the same network without
    patches, which are taken as they are for every weight that no patch changes.
    Raises ModelError where a tensor is missing or of another shape.
    """
    with torch.device("meta"):
        module = network.build(network.config)
    wanted = module.state_dict()
    _check(network, weights, wanted)
    touched = {name for name in wanted for patch in patches if patch.touches(name)}
    tensors: dict[str, Tensor] = {}
    for name, empty in wanted.items():
        if shared and name not in touched:
            tensors[name] = shared[name]
            continue
        tensor = network.tensor(weights, name).reshape(empty.shape).to(device)
        if name in touched:
            tensor = patched(tensor.float(), name, patches)
        tensors[name] = _cast(tensor, casts)
    module.load_state_dict(tensors, assign=True)
    return module.eval().requires_grad_(False)


def _cast(tensor: Tensor, casts: Casts) -> Tensor:
    for dtype in casts:
        tensor = tensor.to(dtype)
    return tensor


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
