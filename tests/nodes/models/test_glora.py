"""Changes that are made of the weight itself, against the formula of the paper written out."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Patch, check, fit
from nodes.models.weights import Weights, open_weights
from tests.nodes.models import tiny

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "mid_block.resnets.0.conv1"
DRAW = torch.Generator().manual_seed(3)


def some(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW)


LINEAR_PARTS = {"a1": some(32, 3), "a2": some(3, 32), "b1": some(16, 3), "b2": some(3, 32)}
PARTS = {"a1": some(32, 3, 1, 1), "a2": some(3, 32, 1, 1), "b1": some(32, 3, 1, 1), "b2": some(3, 32, 3, 3)}


def opened(folder: Path, module: str, parts: Mapping[str, Tensor], **more: Tensor) -> Weights:
    name = "lora_unet_" + module.replace(".", "_")
    content = {f"{name}.{part}.weight": tensor for part, tensor in parts.items()}
    return open_weights(tiny.write(folder / "glora", content | {f"{name}.{n}": t for n, t in more.items()}, {}))


def test_a_linear_layer(tmp_path: Path, base: Weights, unet: Network) -> None:
    file = opened(tmp_path, LINEAR, LINEAR_PARTS, alpha=torch.tensor(6.0))
    assert check(file, [(base, unet)]) == ()
    weight = unet.tensor(base, f"{LINEAR}.weight")
    a1, a2, b1, b2 = LINEAR_PARTS.values()
    changed = Patch(file, fit(file, base, unet), 0.5).applied(weight, f"{LINEAR}.weight")
    torch.testing.assert_close(changed, weight + 0.5 * 6 / 3 * (weight @ a1 @ a2 + b1 @ b2))


def test_a_convolution_comes_after_what_is_made_of_its_input(tmp_path: Path, base: Weights, unet: Network) -> None:
    file = opened(tmp_path, CONVOLUTION, PARTS)
    weight = unet.tensor(base, f"{CONVOLUTION}.weight")
    a1, a2, b1, b2 = PARTS.values()
    changed = Patch(file, fit(file, base, unet), 1.0).applied(weight, f"{CONVOLUTION}.weight")
    x = some(1, 32, 8, 8)
    own = conv2d(conv2d(conv2d(x, a2), a1), weight, padding=1)
    expected = conv2d(x, weight, padding=1) + own + conv2d(conv2d(x, b2, padding=1), b1)
    torch.testing.assert_close(conv2d(x, changed, padding=1), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("part", "shape"), [("a1", (3, 32)), ("b1", (17, 3)), ("b2", (3, 31)), ("a2", (3, 31))])
def test_one_for_another_weight_is_refused(
    tmp_path: Path, base: Weights, unet: Network, part: str, shape: tuple[int, ...]
) -> None:
    file = opened(tmp_path, LINEAR, {**LINEAR_PARTS, part: torch.ones(shape)})
    with pytest.raises(ModelError, match="does not fit tiny"):
        fit(file, base, unet)


def test_half_of_one_is_none(tmp_path: Path, base: Weights, unet: Network) -> None:
    half = {name: tensor for name, tensor in LINEAR_PARTS.items() if name != "b2"}
    with pytest.raises(ModelError, match="is not a LoRA"):
        check(opened(tmp_path, LINEAR, half), [(base, unet)])
