import json

import pytest
import torch

from nodes.sampling.noise_levels import FlowLevels, stable_diffusion
from nodes.sampling.schedules import (
    SCHEDULES,
    beta_sigmas,
    exponential_sigmas,
    karras_sigmas,
    laplace_sigmas,
    polyexponential_sigmas,
    vp_sigmas,
)

LEVELS = stable_diffusion()

NEAR_TIES = {("normal", "20"): [5], ("kl_optimal", "20"): [10]}
"""Places where the exact value lies within 0.008 of the middle between two floats, and the reference's processor took
the farther one. Ours are correctly rounded on every processor."""


def units_apart(a, b):
    return (a.view(torch.int32) - b.view(torch.int32)).abs().max().item()


@pytest.mark.reference
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_the_references(name, reference):
    golden = json.loads((reference / "parity/golden/sigmas.json").read_text())["schedulers"][name]
    assert golden
    for steps, expected in golden.items():
        sigmas, expected = SCHEDULES[name](LEVELS, int(steps)), torch.tensor(expected)
        assert len(sigmas) == len(expected)
        assert (sigmas != expected).nonzero().flatten().tolist() == NEAR_TIES.get((name, steps), [])
        assert units_apart(sigmas, expected) <= 1


@pytest.mark.reference
def test_names_and_order_are_those_of_saved_files(reference):
    info = json.loads((reference / "corpus/object_info.json").read_text())
    assert list(SCHEDULES) == info["KSampler"]["input"]["required"]["scheduler"][0]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("levels", [LEVELS, FlowLevels(shift=3.0)], ids=["discrete", "flow"])
@pytest.mark.parametrize("steps", [1, 2, 3, 20, 999])
def test_schedules_fall_to_zero(name, levels, steps):
    sigmas = SCHEDULES[name](levels, steps)
    assert sigmas.dtype == torch.float32
    assert sigmas[-1] == 0
    assert sigmas[0] <= levels.table[-1] * (1 + 1e-6)
    assert (sigmas.diff() < 0).all()


@pytest.mark.parametrize(
    ("name", "timesteps"),
    [
        ("simple", [999, 749, 499, 249]),
        ("ddim_uniform", [751, 501, 251, 1]),
        ("beta", [999, 823, 500, 176]),
    ],
)
def test_schedules_that_pick_from_the_table(name, timesteps):
    assert torch.equal(SCHEDULES[name](LEVELS, 4)[:-1], LEVELS.table[timesteps])


def test_schedules_over_even_timesteps():
    torch.testing.assert_close(SCHEDULES["normal"](LEVELS, 4)[:-1], LEVELS.table[[999, 666, 333, 0]])
    torch.testing.assert_close(
        SCHEDULES["sgm_uniform"](LEVELS, 4)[:-1], LEVELS.sigma(torch.tensor([999.0, 749.25, 499.5, 249.75]))
    )


def test_exact_values():
    """Bit for bit, on every CPU."""
    assert SCHEDULES["linear_quadratic"](LEVELS, 4).tolist() == LINEAR_QUADRATIC
    assert SCHEDULES["simple"](LEVELS, 4).tolist() == SIMPLE


LINEAR_QUADRATIC = [14.614641189575195, 14.431958198547363, 14.249275207519531, 10.59561538696289, 0.0]
SIMPLE = [14.614641189575195, 4.081729412078857, 1.6128861904144287, 0.6932048797607422, 0.0]


def test_step_counts_may_differ():
    assert len(SCHEDULES["ddim_uniform"](LEVELS, 7)) == 9
    assert len(SCHEDULES["beta"](LEVELS, 999)) < 1000


def test_karras_is_even_in_the_root():
    roots = karras_sigmas(5, 0.1, 10.0, rho=3.0)[:-1].double() ** (1 / 3)
    torch.testing.assert_close(roots.diff(), roots.diff()[:1].expand(4), rtol=1e-5, atol=0)


def test_exponential_is_even_in_the_log_and_polyexponential_generalises_it():
    sigmas = exponential_sigmas(5, 0.1, 10.0)
    steps = sigmas[:-1].log().diff()
    torch.testing.assert_close(steps, steps[:1].expand(4))
    torch.testing.assert_close(polyexponential_sigmas(5, 0.1, 10.0, rho=1.0), sigmas)


def test_laplace_and_vp():
    assert laplace_sigmas(20, 0.03, 14.6).tolist() == sorted(laplace_sigmas(20, 0.03, 14.6).tolist(), reverse=True)
    assert vp_sigmas(20)[0].item() == pytest.approx(152.2, rel=1e-2)


def test_beta_shape_one_one_is_even():
    indices = LEVELS.timestep(beta_sigmas(LEVELS, 10, alpha=1.0, beta=1.0)[:-1])
    assert indices.tolist() == [999, 899, 799, 699, 599, 500, 400, 300, 200, 100]
