"""Differences of weights as LoRA files: whole, or as the nearest products of low rank (Eckart and Young, 1936).

Other tools cut the largest values of the factors, which takes the product away from the difference.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from nodes.models.saving import Content, Saved, ready
from nodes.models.weights import TensorInfo

Kind = Literal["standard", "full_diff"]


def extracted(
    differences: Mapping[str, Saved],
    rank: int,
    kind: Kind,
    biases: bool,
    device: torch.device,
    told: Callable[[int], None] = lambda done: None,
) -> Content:
    """Return differences of weights and, if asked for, of biases as tensors of a LoRA file, in float16.

    They are given by the names of weights as the file shall have them. ``standard`` has products of ``rank`` for
    matrices and convolutions, without alpha: it is the rank. ``told`` is called before each of them.
    """
    found: Content = {}
    for done, (name, saved) in enumerate(differences.items()):
        told(done)
        module, _, leaf = name.rpartition(".")
        is_matrix = len(saved.info.shape) > 1
        if leaf == "weight" and kind == "standard" and is_matrix:
            up, down = factors(saved.make().to(device).float(), rank)
            found |= {f"{module}.lora_up.weight": _half(up), f"{module}.lora_down.weight": _half(down)}
        elif leaf == "weight" and (is_matrix or biases or kind == "full_diff"):
            found[f"{module}.diff"] = _halved(saved)
        elif leaf == "bias" and biases:
            found[f"{module}.diff_b"] = _halved(saved)
    return found


def factors(difference: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return up (out, rank, ...) and down (rank, in, ...), whose product is nearest to a difference (out, in, ...).

    The rank is at most that of the difference.
    """
    u, s, v = torch.linalg.svd(difference.flatten(1), full_matrices=False)
    rank = min(rank, len(s))
    ones = (1,) * (difference.ndim - 2)
    return (u[:, :rank] * s[:rank]).reshape(-1, rank, *ones), v[:rank].reshape(rank, *difference.shape[1:])


def _half(tensor: Tensor) -> Saved:
    return ready(tensor.half().cpu())


def _halved(saved: Saved) -> Saved:
    return Saved(TensorInfo("F16", saved.info.shape), lambda: saved.make().half())
