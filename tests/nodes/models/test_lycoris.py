"""Changes by other products than LoRA's, against the formulas of the paper written out."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.families import detect
from nodes.models.lora import Patch, check, fit
from nodes.models.weights import open_weights
from tests.nodes.models import tiny

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "mid_block.resnets.0.conv1"
DRAW = torch.Generator().manual_seed(3)


def some(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW)


HADA = {"w1_a": some(16, 2), "w1_b": some(2, 32), "w2_a": some(16, 2), "w2_b": some(2, 32), "alpha": torch.tensor(3.0)}
TUCKER = {
    **{name: some(2, 32) for name in ("w1_a", "w1_b", "w2_a", "w2_b")}, "t1": some(2, 2, 3, 3), "t2": some(2, 2, 3, 3)
}  # fmt: skip
WHOLE = {"w1": some(4, 8), "w2": some(4, 4), "alpha": torch.tensor(9.0)}
HALVES = {"w1_a": some(4, 2), "w1_b": some(2, 8), "w2_a": some(4, 2), "w2_b": some(2, 4), "alpha": torch.tensor(3.0)}
CONVOLVED = {"w1": some(4, 8), "w2_a": some(8, 2), "w2_b": some(2, 4 * 9), "alpha": torch.tensor(1.0)}
CORE = {"w1": some(4, 8), "t2": some(2, 2, 3, 3), "w2_a": some(2, 8), "w2_b": some(2, 4)}


def tucker(t: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return sum(
        t[i, j][None, None] * a[i][:, None, None, None] * b[j][None, :, None, None] for i in range(2) for j in range(2)
    )  # type: ignore[return-value]


def kronecker(first: Tensor, second: Tensor) -> Tensor:
    return torch.kron(first[:, :, None, None], second)


CASES: Mapping[str, tuple[str, str, Mapping[str, Tensor], Tensor]] = {
    "loha": (LINEAR, "hada", HADA, (HADA["w1_a"] @ HADA["w1_b"]) * (HADA["w2_a"] @ HADA["w2_b"]) * 3 / 2),
    "loha with cores": (
        CONVOLUTION,
        "hada",
        TUCKER,
        tucker(TUCKER["t1"], TUCKER["w1_a"], TUCKER["w1_b"]) * tucker(TUCKER["t2"], TUCKER["w2_a"], TUCKER["w2_b"]),
    ),
    "lokr of whole matrices": (LINEAR, "lokr", WHOLE, torch.kron(WHOLE["w1"], WHOLE["w2"])),
    "lokr of halves": (
        LINEAR,
        "lokr",
        HALVES,
        torch.kron(HALVES["w1_a"] @ HALVES["w1_b"], HALVES["w2_a"] @ HALVES["w2_b"]) * 3 / 2,
    ),
    "lokr of a convolution": (
        CONVOLUTION,
        "lokr",
        CONVOLVED,
        kronecker(CONVOLVED["w1"], (CONVOLVED["w2_a"] @ CONVOLVED["w2_b"]).reshape(8, 4, 3, 3)) / 2,
    ),
    "lokr with a core": (
        CONVOLUTION,
        "lokr",
        CORE,
        kronecker(CORE["w1"], tucker(CORE["t2"], CORE["w2_a"], CORE["w2_b"])),
    ),
}


def content(module: str, kind: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    name = "lora_unet_" + module.replace(".", "_")
    return {f"{name}.{part if part == 'alpha' else f'{kind}_{part}'}": tensor for part, tensor in parts.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_what_the_paper_says(tmp_path: Path, models: Path, case: str) -> None:
    module, kind, parts, expected = CASES[case]
    base = open_weights(models / "checkpoints" / "tiny")
    network = detect(base).unet
    assert network
    file = open_weights(tiny.write(tmp_path / "lora", content(module, kind, parts), {}))
    assert check(file, [(base, network)]) == ()
    patch = Patch(file, fit(file, base, network), 0.5)
    weight = network.tensor(base, f"{module}.weight")
    torch.testing.assert_close(patch.applied(weight, f"{module}.weight"), weight + 0.5 * expected)


@pytest.mark.parametrize("case", CASES)
def test_a_change_for_another_family_is_refused(tmp_path: Path, models: Path, case: str) -> None:
    module, kind, parts, _ = CASES[case]
    other = CONVOLUTION if module == LINEAR else LINEAR
    base = open_weights(models / "checkpoints" / "tiny")
    network = detect(base).unet
    assert network
    file = open_weights(tiny.write(tmp_path / "lora", content(other, kind, parts), {}))
    with pytest.raises(ModelError, match="does not fit tiny") as caught:
        fit(file, base, network)
    assert kind in str(caught.value.got)


def test_half_a_change_is_none(tmp_path: Path, models: Path) -> None:
    base = open_weights(models / "checkpoints" / "tiny")
    network = detect(base).unet
    assert network
    half = {name: tensor for name, tensor in content(LINEAR, "hada", HADA).items() if "w2_b" not in name}
    file = open_weights(tiny.write(tmp_path / "lora", half, {}))
    with pytest.raises(ModelError, match="is not a LoRA"):
        check(file, [(base, network)])
