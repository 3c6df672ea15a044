"""What the files hold that steer a model, each kind told from the others."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import control_files, control_lora
from nodes.models.families import controlnet, controlnet_union, t2i_adapter
from nodes.models.pool import Pool
from nodes.recipes import ControlNet, FileRef, Model
from tests.nodes.models import tiny
from tests.nodes.models.test_control_lora import FILE
from tests.nodes.test_t2i_adapter import CONFIG

BASE = Model(FileRef("checkpoints", "base"))
ORIGINAL = tiny.original_control(tiny.control(), "")
KINDS: Mapping[str, Mapping[str, Tensor]] = {
    "plain": tiny.control(),
    "difference": ORIGINAL | {controlnet.DIFFERENCE: torch.zeros(1)},
    "union": tiny.union(types=3),
    "adapter": tiny.filled(t2i_adapter.build(CONFIG), 5).state_dict(),
    "control-lora": FILE,
}
REPLACED = "input_blocks.0.0.weight"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    folder = tmp_path_factory.mktemp("control")
    tiny.write(folder / "base", tiny.tensors())
    for name, content in KINDS.items():
        tiny.write(folder / name, content, {})
        tiny.write(folder / f"{name} and more", {**content, "more": torch.ones(1)}, {})
    return Pool("cpu", "auto", 1 << 30, lambda file: folder / file.fingerprint)


def net(name: str, base: FileRef | None = None) -> ControlNet:
    return ControlNet(FileRef("controlnet", name), base)


@pytest.mark.parametrize("kind", KINDS)
def test_all_tensors_of_a_file_have_a_place_but_those_that_are_strange(pool: Pool, kind: str) -> None:
    assert control_files.unused(pool.weights(net(kind).file)) == ()
    assert control_files.unused(pool.weights(net(f"{kind} and more").file)) == ("more",)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_union_tells_types_of_pictures_apart(pool: Pool, kind: str) -> None:
    types = control_files.types(pool.weights(net(kind).file))
    assert types == (controlnet_union.TYPES[:3] if kind == "union" else ())


@pytest.mark.parametrize(
    ("kind", "build"),
    [("plain", controlnet.build), ("union", controlnet_union.build), ("adapter", t2i_adapter.build),
     ("control-lora", controlnet.build)],
)  # fmt: skip
def test_each_kind_is_built_as_what_it_is(pool: Pool, kind: str, build: object) -> None:
    weights, network = control_files.opened(pool, net(kind), BASE)
    assert network.build is build
    assert set(network.keys.values()) <= set(weights.infos)
    assert control_lora.MARKER not in weights.infos


def test_differences_are_added_to_the_model_that_the_recipe_names_and_to_no_other(pool: Pool) -> None:
    alone, _ = control_files.opened(pool, net("difference"), BASE)
    added, _ = control_files.opened(pool, net("difference", BASE.file), BASE)
    of_model = pool.weights(BASE.file).tensor(f"model.diffusion_model.{REPLACED}")
    assert torch.equal(alone.tensor(REPLACED), ORIGINAL[REPLACED])
    torch.testing.assert_close(added.tensor(REPLACED), ORIGINAL[REPLACED] + of_model)
    whole, _ = control_files.opened(pool, net("plain", BASE.file), BASE)
    assert torch.equal(whole.tensor("conv_in.weight"), tiny.control()["conv_in.weight"])


def test_a_file_of_another_kind_is_an_error(pool: Pool) -> None:
    with pytest.raises(ModelError, match="base"):
        control_files.unused(pool.weights(BASE.file))
    with pytest.raises(ModelError, match="base"):
        control_files.opened(pool, ControlNet(BASE.file), BASE)
