import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import control
from nodes.models.control import CONTROLS, Applied
from nodes.models.controlnet import Controlnet
from nodes.models.pool import Pool
from nodes.recipes import Cond, Conditioning, Control, ControlNet, FileRef, Model
from nodes.sampling.guidance import Part
from nodes.sampling.noise_levels import stable_diffusion
from tests.nodes.models import tiny

LEVELS = stable_diffusion()
TINY = Model(FileRef("checkpoints", "tiny"))


class Ones(torch.nn.Module):
    """Gives ones for two skips, and the middle is the brightness of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor, hint: Tensor, return_dict: bool) -> object:
        return [torch.ones_like(x), torch.ones_like(x)], hint.mean() * torch.ones_like(x)


ONES = Controlnet(Ones(), factor=8)
X = torch.zeros(1, 8, 8)


@pytest.fixture
def pool(tmp_path: Path, models: Path) -> Pool:
    tiny.write(tmp_path / "controlnet" / "net", tiny.control())
    tiny.write(tmp_path / "controlnet" / "wide", tiny.control({**tiny.CONTROL, "cross_attention_dim": 48}))
    folders = {"controlnet": tmp_path, "checkpoints": models}
    return Pool("cpu", "auto", 1 << 30, lambda file: folders[file.folder] / file.folder / file.fingerprint)


def prompt(**options: object) -> Cond:
    return Cond(torch.zeros(1, 1, 1), options=options)


def options(side: Conditioning) -> list[object]:
    return [cond.options.get("control") for cond in side.entries]


def test_a_control_for_both_sides_goes_to_the_negative_prompts_in_turn() -> None:
    positive = Conditioning(tuple(prompt(control=(i,), control_both=True) for i in range(3)))
    negative = Conditioning((prompt(), prompt(area=1), prompt()))
    assert [options(side) for side in control.spread((positive, negative))] == [
        [(0,), (1,), (2,)],
        [(0,), None, (1,), (2,)],
    ]


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (prompt(control=(1,), control_both=False), prompt()),
        (prompt(control=(1,), control_both=True, area=2), prompt()),
        (prompt(control=(1,), control_both=True, mask=X, set_area_to_bounds=True), prompt()),
        (prompt(control=(1,), control_both=True), prompt(control=(2,))),
        (prompt(control=(1,), control_both=True), prompt(area=3)),
        (prompt(control=(1,), control_both=True), prompt(mask=X, set_area_to_bounds=True)),
        (prompt(), prompt()),
    ],
)
def test_otherwise_a_control_stays_on_its_side(positive: Cond, negative: Cond) -> None:
    sides = Conditioning((positive,)), Conditioning((negative,))
    assert control.spread(sides) == sides


def test_the_inputs_of_a_prompt(pool: Pool) -> None:
    net = ControlNet(FileRef("controlnet", "net"))
    image = torch.rand(2, 5, 6, 4)
    found = control.inputs(prompt(control=(Control(net, image, 0.5, 0.0, 0.25),)), pool, TINY, LEVELS)
    (applied,) = found[CONTROLS]
    assert applied == Applied(pool.controlnet(net, TINY), "picture_0", 0.5, math.inf, LEVELS.sigma_at(0.25))
    assert torch.equal(found["picture_0"], image[..., :3].movedim(-1, 1))
    assert control.inputs(prompt(), pool, TINY, LEVELS) == {}


def test_what_steers_a_part_is_told_apart_from_its_text(pool: Pool) -> None:
    net = ControlNet(FileRef("controlnet", "net"))
    side = Conditioning((prompt(control=(Control(net, torch.rand(1, 8, 8, 3), 0.5),)), prompt()))
    text = {"context": torch.zeros(1, 1, 1)}
    first, second = control.steered([Part(text), Part(text)], side, pool, TINY, LEVELS)
    assert first.steering == {CONTROLS, "picture_0"} == first.inputs.keys() - text.keys()
    assert (second.inputs, second.steering) == (text, frozenset())


def test_a_controlnet_of_another_family_is_an_error(pool: Pool) -> None:
    foreign = Control(ControlNet(FileRef("controlnet", "wide")), torch.zeros(1, 8, 8, 3), 1.0)
    with pytest.raises(ModelError, match="wide does not fit tiny: it is a ControlNet for another family") as raised:
        control.inputs(prompt(control=(foreign,)), pool, TINY, LEVELS)
    assert "text width 48" in str(raised.value.got)
    assert "text width 32" in str(raised.value.expected)
    assert pool.residents.held_bytes == 0


def test_residuals_are_scaled_and_summed() -> None:
    inputs = {
        CONTROLS: (Applied(ONES, "a", 0.5, math.inf, 0), Applied(ONES, "b", 2.0, math.inf, 0)),
        "a": torch.full((1, 3, 8, 8), 0.25), "b": torch.ones(1, 3, 8, 8), "context": torch.zeros(1, 1, 1),
    }  # fmt: skip
    found = control.residuals(torch.zeros(1, 1, 2, 2), torch.zeros(1), inputs)
    skips, middle = found["down_block_additional_residuals"], found["mid_block_additional_residual"]
    assert [skip.unique().tolist() for skip in skips] == [[2.5], [2.5]]
    assert middle.unique().tolist() == [0.5 * 0.25 + 2.0]
    assert control.residuals(torch.zeros(1, 1, 2, 2), torch.zeros(1), {}) == {}


@pytest.mark.parametrize(("sigma", "active"), [(5.0, ["a"]), (4.0, ["a", "b"]), (2.0, ["b"]), (1.0, [])])
def test_a_control_counts_within_its_range(sigma: float, active: list[str]) -> None:
    seen = []

    def predict(x: Tensor, sigma: Tensor, inputs: control.Inputs) -> Tensor:
        seen.append([each.picture for each in inputs[CONTROLS]])
        return x

    controls = Applied(ONES, "a", 1.0, math.inf, 3.0), Applied(ONES, "b", 1.0, 4.0, 2.0)
    control.ranged(predict)(torch.zeros(1), torch.tensor(sigma), {CONTROLS: controls})
    assert seen == [active]


def test_a_text_for_controlnets_of_another_family_is_an_error(pool: Pool) -> None:
    net = Control(ControlNet(FileRef("controlnet", "net")), torch.zeros(1, 8, 8, 3), 1.0)
    told = {"cross_attn_controlnet": torch.zeros(1, 2, 48)}
    cond = Cond(torch.zeros(1, 2, 32), options={"control": (net,), **told})
    with pytest.raises(ModelError, match="encoded for another family") as raised:
        control.inputs(cond, pool, TINY, LEVELS)
    assert (raised.value.got, raised.value.expected) == ("width 48", "width 32")
    assert control.inputs(Cond(torch.zeros(1, 2, 32), options=told), pool, TINY, LEVELS) == {}
