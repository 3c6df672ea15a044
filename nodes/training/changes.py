"""LoRA and its kin as they are trained: the changes that files of them make, with tensors that learn.

A change is applied by the same code that applies it to a model, so what is trained is what is loaded later. Every one
begins as no change at all. Layouts and beginnings are those of kohya's tools and LyCORIS (Yeh et al. 2023, arXiv
2309.14859); alpha is 1. Not compared with the reference.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isqrt, prod, sqrt
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from nodes.models.change import Change
from nodes.models.weights import Weights

Algorithm = Literal["LoRA", "LoHa", "LoKr", "OFT"]
Shape = Sequence[int]

PREFIX = "lora_unet_"
"""How kohya's files name a module of the UNet; dots become underscores."""

ALPHA = ".alpha"


class TrainedChange(nn.Module):
    """A weight under a change of a LoRA file, whose tensors are trained in float32; alpha is not."""

    def __init__(self, change: Change, file: Weights) -> None:
        super().__init__()
        self.change = change
        self.fixed = {name: file.tensor(name).float() for name in change.names if name.endswith(ALPHA)}
        self.names = [name for name in change.names if name not in self.fixed]
        self.tensors = nn.ParameterList(nn.Parameter(file.tensor(name).float().clone()) for name in self.names)

    def forward(self, weight: Tensor) -> Tensor:
        product, factor = self.change.added(self._read, weight.float())
        return (weight.float() + product * factor).to(weight.dtype)

    def _read(self, name: str) -> Tensor:
        found: Tensor = self.fixed[name] if name in self.fixed else self.tensors[self.names.index(name)]
        return found


def layers(unet: nn.Module) -> dict[str, Shape]:
    """Return the shapes of the weights that are trained: every linear layer and convolution in the blocks of a UNet."""
    return {
        f"{name}.weight": tuple(module.weight.shape)
        for name, module in unet.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and "_block" in name and "time_emb" not in name
    }


def fresh(weights: Mapping[str, Shape], algorithm: Algorithm, rank: int, draw: Generator) -> dict[str, Tensor]:
    """Return the tensors of a LoRA file that changes these weights, and does nothing yet, in float32."""
    found: dict[str, Tensor] = {}
    for name, shape in weights.items():
        made = MAKERS[algorithm](shape, rank, draw)
        found |= {f"{written(name)}.{ending}": tensor for ending, tensor in made.items()}
    return found


def written(weight: str) -> str:
    """Return what a file calls the module of a weight of a UNet."""
    return PREFIX + weight.removesuffix(".weight").replace(".", "_")


def attach(unet: nn.Module, changes: Mapping[str, Change], file: Weights, device: torch.device) -> list[TrainedChange]:
    """Lay changes over the weights of a UNet, by their names in it. The weights themselves stay as they are."""
    made = []
    for name, change in changes.items():
        module, _, leaf = name.rpartition(".")
        made.append(TrainedChange(change, file).to(device))
        parametrize.register_parametrization(unet.get_submodule(module), leaf, made[-1], unsafe=True)
    return made


def learned(trained: Iterable[TrainedChange], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the tensors that were trained, by their names in the file, on the CPU."""
    return {
        name: tensor.detach().to("cpu", dtype)
        for each in trained
        for name, tensor in zip(each.names, each.tensors, strict=True)
    }


def low_rank(shape: Shape, rank: int, draw: Generator) -> dict[str, Tensor]:
    """LoRA: up @ down (Hu et al. 2021, arXiv 2106.09685)."""
    down = _uniform((rank, *shape[1:]), prod(shape[1:]), draw)
    up = torch.zeros(shape[0], rank, *(1,) * (len(shape) - 2))
    return {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(1.0)}


def hadamard(shape: Shape, rank: int, draw: Generator) -> dict[str, Tensor]:
    """LoHa: (a1 @ b1) * (a2 @ b2) (Hyeon-Woo et al. 2022, arXiv 2108.06098)."""
    rows, columns = shape[0], prod(shape[1:])
    return {
        "hada_w1_a": torch.randn(rows, rank, generator=draw) * 0.1,
        "hada_w1_b": torch.randn(rank, columns, generator=draw),
        "hada_w2_a": torch.zeros(rows, rank),
        "hada_w2_b": torch.randn(rank, columns, generator=draw),
        "alpha": torch.tensor(1.0),
    }


def kronecker(shape: Shape, rank: int, draw: Generator) -> dict[str, Tensor]:
    """LoKr: the Kronecker product of a small matrix and a large one, which has a rank where that makes it smaller."""
    rows, columns = _divisor(shape[0], isqrt(shape[0])), _divisor(shape[1], isqrt(shape[1]))
    large, kernel = (shape[0] // rows, shape[1] // columns), shape[2:]
    found = {"lokr_w1": _uniform((rows, columns), columns, draw), "alpha": torch.tensor(1.0)}
    if 2 * rank >= max(large):
        return found | {"lokr_w2": torch.zeros(*large, *kernel)}
    inner = large[1] * prod(kernel)
    return found | {"lokr_w2_a": torch.zeros(large[0], rank), "lokr_w2_b": _uniform((rank, inner), inner, draw)}


def rotation(shape: Shape, rank: int, draw: Generator) -> dict[str, Tensor]:
    """OFT: outputs turned in blocks of at most ``rank`` of them, and of two at least (arXiv 2306.07280)."""
    size = _divisor(shape[0], max(rank, 2))
    return {"oft_blocks": torch.zeros(shape[0] // size, size, size), "alpha": torch.tensor(0.0)}


MAKERS: Mapping[Algorithm, Callable[[Shape, int, Generator], dict[str, Tensor]]] = {
    "LoRA": low_rank,
    "LoHa": hadamard,
    "LoKr": kronecker,
    "OFT": rotation,
}


def _divisor(number: int, largest: int) -> int:
    """Return the largest divisor of a number up to a bound."""
    return next(each for each in range(min(largest, number), 0, -1) if number % each == 0)


def _uniform(shape: Shape, inputs: int, draw: Generator) -> Tensor:
    """Return numbers between -1 and 1 over the root of a number of inputs, as a new linear layer of torch has them."""
    return (torch.rand(*shape, generator=draw) * 2 - 1) / sqrt(inputs)
