"""Union ControlNets, against diffusers' class for them and against a plain ControlNet."""

from pathlib import Path

import pytest
import torch
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from torch import Tensor

from nodes.models.controlnet import Controlnet
from nodes.models.pool import Pool
from nodes.recipes import ControlNet, FileRef, Model
from tests.nodes.models import tiny

MODEL = Model(FileRef("checkpoints", "any"))
TYPES = 6
DRAW = torch.Generator().manual_seed(0)
X, CONTEXT = torch.randn(2, 4, 4, 6, generator=DRAW), torch.randn(2, 5, 32, generator=DRAW)
PICTURE = torch.rand(2, 3, 8, 12, generator=DRAW)
TIMESTEP = torch.full((2,), 500.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("union")
    tiny.write(folder / "union", tiny.union(types=TYPES))
    return folder


@pytest.fixture(scope="module")
def pool(folder: Path) -> Pool:
    return Pool("cpu", "auto", 1 << 30, lambda file: folder / file.fingerprint)


def net(pool: Pool, type: int | None) -> Controlnet:
    found = pool.controlnet(ControlNet(FileRef("controlnet", "union"), type=type), MODEL)
    assert isinstance(found, Controlnet)
    return found


def called(net: Controlnet, *items: int) -> list[Tensor]:
    """Return what a ControlNet gives for some items of a batch."""
    chosen = [each[list(items)] for each in (X, TIMESTEP, CONTEXT, PICTURE)]
    skips, middle = net(*chosen)
    return [*skips, middle]


def test_one_module_serves_all_types(pool: Pool) -> None:
    assert net(pool, 1).module is net(pool, None).module
    assert [net(pool, type).type for type in (None, 0, 5)] == [None, 0, 5]


@pytest.mark.parametrize("type", range(TYPES))
def test_a_picture_of_a_type_gives_what_diffusers_gives(pool: Pool, type: int) -> None:
    theirs = ControlNetUnionModel(
        **tiny.CONTROL, addition_time_embed_dim=256, num_control_type=TYPES, num_trans_channel=16, num_proj_channel=16
    )
    theirs.load_state_dict(tiny.union(types=TYPES))
    chosen = torch.zeros(1, TYPES)
    chosen[0, type] = 1
    with torch.no_grad():
        skips, middle = theirs.eval()(
            X[:1], TIMESTEP[:1], CONTEXT[:1], [PICTURE[:1]], chosen, [type], return_dict=False
        )  # fmt: skip
    for ours, expected in zip(called(net(pool, type), 0), [*skips, middle], strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("type", [None, 3])
def test_pictures_of_a_batch_do_not_meet(pool: Pool, type: int | None) -> None:
    together, apart = called(net(pool, type), 0, 1), [called(net(pool, type), item) for item in (0, 1)]
    for both, first, second in zip(together, *apart, strict=True):
        torch.testing.assert_close(both, torch.cat([first, second]), atol=1e-4, rtol=1e-4)


def test_without_a_type_it_is_a_plain_controlnet_with_one_constant(pool: Pool, tmp_path: Path) -> None:
    tensors = tiny.union(types=TYPES)
    codes = torch.cat([torch.ones(128), torch.zeros(128)]).repeat(TYPES)  # the cosines of 0, then the sines
    first = torch.nn.functional.silu(
        tensors["control_add_embedding.linear_1.weight"] @ codes + tensors["control_add_embedding.linear_1.bias"]
    )
    constant = tensors["control_add_embedding.linear_2.weight"] @ first + tensors["control_add_embedding.linear_2.bias"]
    plain = {name: tensors[name] for name in tiny.control()}
    plain["time_embedding.linear_2.bias"] = plain["time_embedding.linear_2.bias"] + constant
    tiny.write(tmp_path / "plain", plain)
    pool_of_plain = Pool("cpu", "auto", 1 << 30, lambda file: tmp_path / file.fingerprint)
    expected = pool_of_plain.controlnet(ControlNet(FileRef("controlnet", "plain")), MODEL)
    assert isinstance(expected, Controlnet)
    for ours, theirs in zip(called(net(pool, None), 0, 1), called(expected, 0, 1), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_it_comes_in_blocks_where_it_does_not_fit(pool: Pool, folder: Path) -> None:
    small = net(Pool("cpu", "auto", 1, lambda file: folder / file.fingerprint), 2)
    assert small.stream and "class_embedding.linear_1" in small.stream.sizes
    for ours, whole in zip(called(small, 0, 1), called(net(pool, 2), 0, 1), strict=True):
        assert torch.equal(ours, whole)
