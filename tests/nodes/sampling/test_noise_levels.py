import json
import math

import pytest
import torch

from nodes.sampling.noise_levels import (
    AngularLevels,
    ContinuousLevels,
    FlowLevels,
    distilled,
    stable_diffusion,
    zero_terminal_snr,
)


@pytest.fixture(scope="module")
def levels():
    return stable_diffusion()


def test_table_of_stable_diffusion(levels):
    assert levels.table.dtype == torch.float32
    assert len(levels.table) == 1000
    assert levels.table[[0, 1, 499, 999]].tolist() == [
        0.029167158529162407,
        0.04131441190838814,
        1.6128861904144287,
        14.614641189575195,
    ]


@pytest.mark.reference
def test_table_is_the_references(levels, reference):
    expected = json.loads((reference / "parity/golden/sigmas.json").read_text())["table"]
    indices = [0, 1, 499, 500, 998, 999]
    assert levels.table[indices].tolist() == expected["sigmas_0_1_499_500_998_999"]
    assert levels.table[0].item() == expected["sigma_min"]
    assert levels.table[-1].item() == expected["sigma_max"]


def test_sigma_of_a_whole_timestep_is_the_table(levels):
    timesteps = torch.arange(1000.0)
    torch.testing.assert_close(levels.sigma(timesteps), levels.table, rtol=3e-7, atol=0)


def test_sigma_between_timesteps_is_the_geometric_mean(levels):
    halfway = levels.sigma(torch.tensor(499.5))
    assert halfway.item() == pytest.approx(math.sqrt(levels.table[499].item() * levels.table[500].item()), rel=1e-6)


def test_timestep_is_the_nearest_index_in_log_sigma(levels):
    low, high = levels.table[500].log(), levels.table[501].log()
    assert levels.timestep((low * 0.51 + high * 0.49).exp()).item() == 500.0
    assert levels.timestep((low * 0.49 + high * 0.51).exp()).item() == 501.0


def test_timestep_inverts_the_table_and_clamps_beyond_it(levels):
    assert levels.timestep(levels.table).tolist() == list(range(1000))
    assert levels.timestep(torch.tensor([1e-6, 1e6])).tolist() == [0.0, 999.0]
    assert levels.timestep(levels.table[7]).shape == ()


def test_fractions_of_sampling(levels):
    assert levels.sigma_at(0.0) == math.inf
    assert levels.sigma_at(-1.0) == math.inf
    assert levels.sigma_at(1.0) == 0.0
    assert levels.sigma_at(0.5) == pytest.approx(levels.sigma(torch.tensor(499.5)).item())


def test_zero_terminal_snr_keeps_the_first_level_and_ends_without_signal(levels):
    stretched = zero_terminal_snr(levels).table
    assert stretched[0].item() == pytest.approx(levels.table[0].item(), rel=1e-4)
    assert stretched[-1].item() == pytest.approx(4518.7, rel=1e-3)
    assert (stretched.diff() > 0).all()
    assert torch.isfinite(stretched).all()


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_levels(shift):
    flow = FlowLevels(shift=shift)
    assert flow.table[-1].item() == 1.0
    assert (flow.table.diff() > 0).all()
    assert flow.timestep(torch.tensor(0.25)).item() == 250.0
    assert flow.sigma_at(0.5) == pytest.approx(shift * 0.5 / (1 + (shift - 1) * 0.5))
    assert (flow.sigma_at(0.0), flow.sigma_at(1.0)) == (math.inf, 0.0)


def test_distilled_levels_are_every_twentieth(levels):
    few = distilled(levels)
    assert few.table.tolist() == levels.table[19::20].tolist() and len(few.table) == 50
    assert few.timestep(few.table[[0, 7, 49]]).tolist() == [19.0, 159.0, 999.0]
    torch.testing.assert_close(few.sigma(torch.tensor([159.0, 999.0])), few.table[[7, 49]], rtol=1e-6, atol=0)
    assert few.sigma_at(0.5) == pytest.approx(levels.sigma_at(0.5), rel=1e-2)


def test_continuous_levels():
    levels = ContinuousLevels(0.01, 100.0)
    assert levels.table[[0, -1]].tolist() == pytest.approx([0.01, 100.0], rel=1e-5)
    torch.testing.assert_close(levels.sigma(levels.timestep(levels.table)), levels.table, rtol=1e-5, atol=0)
    assert levels.sigma_at(0.5) == pytest.approx(1.0)
    assert (levels.sigma_at(0.0), levels.sigma_at(1.0)) == (math.inf, 0.0)


def test_the_angle_between_signal_and_noise_goes_from_none_to_a_right_one():
    levels = AngularLevels(0.03, 500.0)
    assert levels.timestep(torch.tensor(1.0)).item() == pytest.approx(0.5)
    assert levels.timestep(torch.tensor(1e9)).item() == pytest.approx(1.0)
    torch.testing.assert_close(levels.sigma(levels.timestep(levels.table)), levels.table, rtol=1e-4, atol=0)
    assert (levels.table[0].item(), levels.table[-1].item()) == pytest.approx((0.03, 500.0))
