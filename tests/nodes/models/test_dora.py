"""Changes with a magnitude of their own, against the formula of the paper written out."""

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
from tests.nodes.models.test_lycoris import CASES, content

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "mid_block.resnets.0.conv1"
NAMES = {module: "lora_unet_" + module.replace(".", "_") for module in (LINEAR, CONVOLUTION)}


def opened(folder: Path, content: Mapping[str, Tensor]) -> Weights:
    return open_weights(tiny.write(folder / "dora", content, {}))


def pair(module: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tiny.lora().items() if name.startswith(NAMES[module])}


def changed(file: Weights, base: Weights, unet: Network, module: str, strength: float) -> tuple[Tensor, Tensor]:
    """Return the weight of a module and what a file makes of it."""
    name = f"{module}.weight"
    weight = unet.tensor(base, name)
    return weight, Patch(file, fit(file, base, unet), strength).applied(weight, name)


def norms(weight: Tensor, axis: int) -> Tensor:
    """Return the norm of all that belongs to one output (0) or input (1): (n, 1, ...) or (1, n, ...)."""
    others = [each for each in range(weight.ndim) if each != axis]
    return weight.pow(2).sum(others, keepdim=True).sqrt()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("module", [LINEAR, CONVOLUTION])
def test_with_the_norm_of_the_changed_weight_it_is_the_plain_lora(
    tmp_path: Path, base: Weights, unet: Network, module: str, axis: int
) -> None:
    _, plain = changed(opened(tmp_path / "plain", pair(module)), base, unet, module, 1.0)
    file = opened(tmp_path, {**pair(module), f"{NAMES[module]}.dora_scale": norms(plain, axis)})
    assert check(file, [(base, unet)]) == ()
    torch.testing.assert_close(changed(file, base, unet, module, 1.0)[1], plain)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("module", [LINEAR, CONVOLUTION])
def test_it_has_the_magnitude_of_the_file_and_the_direction_of_the_lora(
    tmp_path: Path, base: Weights, unet: Network, module: str, axis: int
) -> None:
    _, plain = changed(opened(tmp_path / "plain", pair(module)), base, unet, module, 1.0)
    magnitude = torch.rand(norms(plain, axis).shape) + 0.5
    file = opened(tmp_path, {**pair(module), f"{NAMES[module]}.dora_scale": magnitude})
    weight, whole = changed(file, base, unet, module, 1.0)
    torch.testing.assert_close(norms(whole, axis), magnitude)
    torch.testing.assert_close(whole / magnitude, plain / norms(plain, axis))
    _, half = changed(file, base, unet, module, 0.5)
    torch.testing.assert_close(half, (weight + whole) / 2)


@pytest.mark.parametrize(
    ("module", "shape"), [(LINEAR, (16,)), (CONVOLUTION, (1, 32, 1, 1)), (CONVOLUTION, (32, 1, 1, 1))]
)
@pytest.mark.parametrize("ending", ["", ".weight", ".default.weight"])
def test_magnitudes_of_diffusers_files_are_those_of_outputs(
    tmp_path: Path, base: Weights, unet: Network, module: str, shape: tuple[int, ...], ending: str
) -> None:
    written = {
        name.replace(NAMES[module], f"unet.{module}").replace("lora_up", "lora_B").replace("lora_down", "lora_A"): each
        for name, each in pair(module).items()
    }
    magnitude = torch.rand(shape) + 0.5
    file = opened(tmp_path, {**written, f"unet.{module}.lora_magnitude_vector{ending}": magnitude})
    assert check(file, [(base, unet)]) == ()
    _, whole = changed(file, base, unet, module, 1.0)
    torch.testing.assert_close(norms(whole, 0).flatten(), magnitude.flatten())


@pytest.mark.parametrize("case", CASES)
def test_changes_of_lycoris_have_magnitudes_too(tmp_path: Path, base: Weights, unet: Network, case: str) -> None:
    module, kind, parts, expected = CASES[case]
    adapted = unet.tensor(base, f"{module}.weight") + expected
    magnitude = torch.rand(norms(adapted, 1).shape) + 0.5
    written = content(module, kind, parts) | {f"{NAMES[module]}.dora_scale": magnitude}
    file = opened(tmp_path, written)
    assert check(file, [(base, unet)]) == ()
    torch.testing.assert_close(
        changed(file, base, unet, module, 1.0)[1], magnitude * adapted / norms(adapted, 1), atol=1e-5, rtol=1e-4
    )


def test_what_has_no_direction_stays_nothing(tmp_path: Path, base: Weights, unet: Network) -> None:
    up = torch.zeros(16, 2)
    file = opened(tmp_path, {**pair(LINEAR), f"{NAMES[LINEAR]}.lora_up.weight": up,
                             f"{NAMES[LINEAR]}.dora_scale": torch.ones(16, 1)})  # fmt: skip
    patch = Patch(file, fit(file, base, unet), 1.0)
    assert torch.equal(patch.applied(torch.zeros(16, 32), f"{LINEAR}.weight"), torch.zeros(16, 32))


@pytest.mark.parametrize("shape", [(1, 16), (32, 1), (16, 32), (7,), ()])
def test_a_magnitude_for_another_family_is_refused(
    tmp_path: Path, base: Weights, unet: Network, shape: tuple[int, ...]
) -> None:
    file = opened(tmp_path, {**pair(LINEAR), f"{NAMES[LINEAR]}.dora_scale": torch.ones(shape)})
    with pytest.raises(ModelError, match="made for another model") as raised:
        fit(file, base, unet)
    assert f"dora_scale {shape}" in str(raised.value.got)


def test_a_magnitude_without_a_change_is_reported(tmp_path: Path, base: Weights, unet: Network) -> None:
    file = opened(tmp_path, {**pair(CONVOLUTION), f"{NAMES[LINEAR]}.dora_scale": torch.ones(1, 32)})
    assert check(file, [(base, unet)]) == (f"{NAMES[LINEAR]}.dora_scale",)
