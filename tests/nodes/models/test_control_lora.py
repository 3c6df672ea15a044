"""Control-LoRAs, against the whole ControlNets that they stand for."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import control_files, control_lora
from nodes.models.controlnet import Controlnet
from nodes.models.pool import Pool
from nodes.recipes import ControlNet, FileRef, LoraPatch, Model
from tests.nodes.models import tiny

DRAW = torch.Generator().manual_seed(0)
X, CONTEXT = torch.randn(1, 4, 4, 6, generator=DRAW), torch.randn(1, 5, 32, generator=DRAW)
PICTURE, TIMESTEP = torch.rand(1, 3, 8, 12, generator=DRAW), torch.full((1,), 500.0)

BASE = Model(FileRef("checkpoints", "base"))
PATCHED = Model(BASE.file, (LoraPatch(FileRef("loras", "lora"), 0.5),))
NET = ControlNet(FileRef("controlnet", "control-lora"))
PREFIX = "model.diffusion_model."
LINEAR = "input_blocks.1.1.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "middle_block.0.in_layers.2"
REPLACED = "time_embed.0.bias"


def small(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW) * 0.1


PAIRS = {
    f"{LINEAR}.up": small(16, 2), f"{LINEAR}.down": small(2, 32),
    f"{CONVOLUTION}.up": small(32, 2, 1, 1), f"{CONVOLUTION}.down": small(2, 32, 3, 3),
}  # fmt: skip
ORIGINAL = tiny.original_control(tiny.control(), "")
OWN = {name: tensor for name, tensor in ORIGINAL.items() if name.startswith(control_lora.OWN)}
FILE = {control_lora.MARKER: torch.zeros(0), **OWN, **PAIRS, REPLACED: ORIGINAL[REPLACED]}


def stood_for() -> dict[str, Tensor]:
    """Return the ControlNet that the file makes of the tiny UNet."""
    base = tiny.tensors()
    whole = {name: base[PREFIX + name] for name in ORIGINAL if name not in OWN} | OWN | {REPLACED: ORIGINAL[REPLACED]}
    whole[f"{LINEAR}.weight"] = whole[f"{LINEAR}.weight"] + PAIRS[f"{LINEAR}.up"] @ PAIRS[f"{LINEAR}.down"]
    up, down = PAIRS[f"{CONVOLUTION}.up"][:, :, 0, 0], PAIRS[f"{CONVOLUTION}.down"]
    added = torch.einsum("or,rikl->oikl", up, down)
    whole[f"{CONVOLUTION}.weight"] = whole[f"{CONVOLUTION}.weight"] + added
    return whole


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("control-lora")
    tiny.write(folder / "base", tiny.tensors())
    tiny.write(folder / "lora", tiny.lora(), {})
    tiny.write(folder / "control-lora", FILE, {})
    tiny.write(folder / "whole", stood_for())
    return folder


@pytest.fixture
def pool(folder: Path) -> Pool:
    return Pool("cpu", "auto", 1 << 30, lambda file: folder / file.fingerprint)


def called(pool: Pool, net: ControlNet, model: Model) -> list[Tensor]:
    found = pool.controlnet(net, model)
    assert isinstance(found, Controlnet)
    skips, middle = found(X, TIMESTEP, CONTEXT, PICTURE)
    return [*skips, middle]


def test_it_is_the_model_with_changes(pool: Pool) -> None:
    whole = called(pool, ControlNet(FileRef("controlnet", "whole")), BASE)
    for ours, expected in zip(called(pool, NET, BASE), whole, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_patches_of_the_model_are_in_it(pool: Pool) -> None:
    weights, network = control_files.opened(pool, NET, PATCHED)
    name = f"{CONVOLUTION}.weight"
    pair = tiny.lora()
    up, down = (pair[f"lora_unet_mid_block_resnets_0_conv1.lora_{part}.weight"] for part in ("up", "down"))
    added = 0.5 * torch.einsum("or,rikl->oikl", up[:, :, 0, 0], down)
    torch.testing.assert_close(weights.tensor(name), stood_for()[name] + added, atol=1e-5, rtol=1e-4)
    assert set(network.keys.values()) == set(weights.infos)
    plain, patched = called(pool, NET, BASE), called(pool, NET, PATCHED)
    assert not torch.equal(plain[-1], patched[-1])
    assert torch.equal(called(pool, NET, BASE)[-1], plain[-1])


def test_its_tensors_have_a_place(folder: Path, pool: Pool) -> None:
    assert control_files.unused(pool.weights(NET.file)) == ()
    tiny.write(folder / "more", FILE | {"output_blocks.0.0.up": torch.ones(1)}, {})
    assert control_files.unused(pool.weights(FileRef("controlnet", "more"))) == ("output_blocks.0.0.up",)
    assert control_files.types(pool.weights(NET.file)) == ()


@pytest.mark.parametrize(
    "other",
    [{f"{LINEAR}.down": small(2, 48)}, {REPLACED: small(8)}, {"input_blocks.9.0.in_layers.2.up": small(16, 2)}],
)
def test_one_for_another_model_is_an_error(folder: Path, pool: Pool, other: dict[str, Tensor]) -> None:
    name = f"other-{next(iter(other))}"
    tiny.write(folder / name, FILE | other, {})
    with pytest.raises(ModelError, match="does not fit base: it is a control-LoRA for another model"):
        control_files.opened(pool, ControlNet(FileRef("controlnet", name)), BASE)


def test_it_comes_in_blocks_where_it_does_not_fit(folder: Path, pool: Pool) -> None:
    little = Pool("cpu", "auto", 1, lambda file: folder / file.fingerprint)
    for ours, whole in zip(called(little, NET, PATCHED), called(pool, NET, PATCHED), strict=True):
        assert torch.equal(ours, whole)
