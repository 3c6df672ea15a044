"""Weights whose outputs are turned, against the formula of the paper written out."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Patch, check, fit
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "mid_block.resnets.0.conv1"
DRAW = torch.Generator().manual_seed(3)
BLOCKS = {LINEAR: torch.randn(4, 4, 4, generator=DRAW), CONVOLUTION: torch.randn(2, 16, 16, generator=DRAW) * 0.1}


def opened(folder: Path, module: str, parts: Mapping[str, Tensor]) -> Weights:
    name = "lora_unet_" + module.replace(".", "_")
    return open_weights(tiny.write(folder / "oft", {f"{name}.{part}": tensor for part, tensor in parts.items()}, {}))


def applied(file: Weights, base: Weights, unet: Network, module: str, strength: float = 1.0) -> tuple[Tensor, Tensor]:
    weight = unet.tensor(base, f"{module}.weight")
    return weight, Patch(file, fit(file, base, unet), strength).applied(weight, f"{module}.weight")


def turned(weight: Tensor, blocks: Tensor) -> Tensor:
    """Each block of rows by the inverse of (I + Q) (I - Q)^-1, written out."""
    one, rows = torch.eye(blocks.shape[-1]), weight.flatten(1).split(blocks.shape[-1])
    parts = [
        ((one + (b - b.T)) @ torch.linalg.inv(one - (b - b.T))).T @ row for b, row in zip(blocks, rows, strict=True)
    ]
    return torch.cat(parts).reshape(weight.shape)


@pytest.mark.parametrize("module", BLOCKS)
def test_a_weight_is_turned(tmp_path: Path, base: Weights, unet: Network, module: str) -> None:
    file = opened(tmp_path, module, {"oft_blocks": BLOCKS[module], "alpha": torch.tensor(0.0)})
    assert check(file, [(base, unet)]) == ()
    weight, changed = applied(file, base, unet, module)
    torch.testing.assert_close(changed, turned(weight, BLOCKS[module]))
    torch.testing.assert_close(changed.norm(), weight.norm())
    torch.testing.assert_close(applied(file, base, unet, module, 0.5)[1], (weight + changed) / 2)


def test_rows_have_factors(tmp_path: Path, base: Weights, unet: Network) -> None:
    factors = torch.rand(16, 1, generator=DRAW)
    file = opened(tmp_path, LINEAR, {"oft_blocks": BLOCKS[LINEAR], "rescale": factors})
    weight, changed = applied(file, base, unet, LINEAR)
    torch.testing.assert_close(changed, turned(weight, BLOCKS[LINEAR]) * factors)


@pytest.mark.parametrize(("alpha", "share"), [(1e3, 1.0), (0.01, 0.16)])
def test_alpha_bounds_how_far(tmp_path: Path, base: Weights, unet: Network, alpha: float, share: float) -> None:
    """The norm of all differences together is at most alpha times the rows."""
    blocks = BLOCKS[LINEAR]
    file = opened(tmp_path, LINEAR, {"oft_blocks": blocks, "alpha": torch.tensor(alpha)})
    weight, changed = applied(file, base, unet, LINEAR)
    norm = (blocks - blocks.mT).norm().item()
    torch.testing.assert_close(changed, turned(weight, blocks * (1.0 if share == 1 else share / norm)))


@pytest.mark.parametrize("shape", [(4, 3, 3), (4, 4, 3), (2, 2, 4, 4), (16, 16)])
def test_blocks_for_another_weight_are_refused(
    tmp_path: Path, base: Weights, unet: Network, shape: tuple[int, ...]
) -> None:
    file = opened(tmp_path, LINEAR, {"oft_blocks": torch.zeros(shape)})
    with pytest.raises(ModelError, match="does not fit"):
        fit(file, base, unet)


def test_a_butterfly_turns_rows_that_lie_apart(tmp_path: Path, base: Weights, unet: Network) -> None:
    """Rows in pairs: next to each other, then 2 and 4 rows apart, as the paper draws it."""
    blocks = torch.randn(3, 8, 2, 2, generator=DRAW)
    file = opened(tmp_path, LINEAR, {"oft_blocks": blocks, "alpha": torch.tensor(0.0)})
    assert check(file, [(base, unet)]) == ()
    weight, changed = applied(file, base, unet, LINEAR)
    expected = weight.clone()
    for apart, stage in zip((1, 2, 4), blocks, strict=True):
        firsts = [row for row in range(16) if not row & apart]
        for first, block in zip(firsts, stage, strict=True):
            pair = [first, first + apart]
            expected[pair] = turned(expected[pair], block.T[None])
    torch.testing.assert_close(changed, expected)


@pytest.mark.parametrize("shape", [(0, 8, 2, 2), (5, 8, 2, 2), (1, 16, 1, 1), (2, 8, 2, 3)])
def test_a_butterfly_for_another_weight_is_refused(
    tmp_path: Path, base: Weights, unet: Network, shape: tuple[int, ...]
) -> None:
    file = opened(tmp_path, LINEAR, {"oft_blocks": torch.zeros(shape)})
    with pytest.raises(ModelError, match="does not fit"):
        fit(file, base, unet)
