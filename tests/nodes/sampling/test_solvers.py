"""Every solver of the table against a model with a closed form. A new solver is one function and one line there."""

import json
import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nodes.sampling.guidance import Guidance, Part
from nodes.sampling.inpaint import Inpaint
from nodes.sampling.noise import Noise, noise_for
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.prediction import eps
from nodes.sampling.process import FLOW
from nodes.sampling.regions import EVERYWHERE, Area, Region
from nodes.sampling.schedules import karras_sigmas
from nodes.sampling.seam import Guided, ignore_step
from nodes.sampling.solvers import LCM_UPSCALE, SOLVERS
from nodes.sampling.solvers.unipc import LAST_SIGMA
from tests.nodes.card import card
from tests.nodes.sampling.gaussian import SPREAD, Gaussian, falling, no_noise, path

STOCHASTIC = [name for name, solver in SOLVERS.items() if solver.noise != "none" and name != "dpm_adaptive"]
DEVICE_TWINS = [name for name in SOLVERS if name.endswith("_gpu")]
OWN_STEPS = {"dpm_fast", "dpm_adaptive"}
"""Solvers that choose levels of their own."""

AS_ODE = {
    "euler_ancestral": {"eta": 0.0},
    "euler_ancestral_cfg_pp": {"eta": 0.0},
    "dpm_2_ancestral": {"eta": 0.0},
    "dpmpp_2s_ancestral": {"eta": 0.0},
    "dpmpp_2s_ancestral_cfg_pp": {"eta": 0.0},
    "dpmpp_sde": {"eta": 0.0},
    "dpmpp_2m_sde": {"eta": 0.0},
    "dpmpp_3m_sde": {"eta": 0.0},
    "res_multistep_ancestral": {"eta": 0.0},
    "res_multistep_ancestral_cfg_pp": {"eta": 0.0},
    "seeds_2": {"eta": 0.0},
    "seeds_3": {"eta": 0.0},
    "er_sde": {"eta": 0.0},
    "sa_solver": {"eta": 0.0},
    "sa_solver_pece": {"eta": 0.0},
}
"""Settings that make a stochastic solver deterministic."""

ORDERS = {
    "euler": 1,
    "ddim": 1,
    "euler_cfg_pp": 1,
    "euler_ancestral": 1,
    "euler_ancestral_cfg_pp": 1,
    "heun": 2,
    "heunpp2": 1,
    "dpm_2": 2,
    "dpm_2_ancestral": 2,
    "lms": 3.5,
    "dpmpp_2s_ancestral": 2,
    "dpmpp_2s_ancestral_cfg_pp": 2,
    "dpmpp_sde": 2,
    "dpmpp_2m": 2,
    "dpmpp_2m_cfg_pp": 2,
    "dpmpp_2m_sde": 2,
    "dpmpp_3m_sde": 2,
    "ipndm": 2,
    "ipndm_v": 1.5,
    "deis": 3,
    "res_multistep": 2,
    "res_multistep_cfg_pp": 2,
    "res_multistep_ancestral": 2,
    "res_multistep_ancestral_cfg_pp": 2,
    "gradient_estimation": 1,
    "gradient_estimation_cfg_pp": 1,
    "er_sde": 1.5,
    "seeds_2": 2,
    "seeds_3": 3,
    "sa_solver": 3.5,
    "sa_solver_pece": 3.5,
    "uni_pc": 2,
    "uni_pc_bh2": 2,
}
"""Orders of convergence. Multistep solvers start with Euler's step and are held back by it."""


@pytest.mark.reference
def test_names_and_order_are_those_of_saved_files(reference):
    info = json.loads((reference / "corpus/object_info.json").read_text())
    assert list(SOLVERS) == info["KSampler"]["input"]["required"]["sampler_name"][0]


def test_solvers_that_drop_the_penultimate_level():
    dropping = {name for name, solver in SOLVERS.items() if solver.drops_penultimate}
    assert dropping == {"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"}


def test_device_twins_differ_only_in_where_noise_is_drawn():
    assert DEVICE_TWINS
    for name in DEVICE_TWINS:
        twin, plain = SOLVERS[name], SOLVERS[name.removesuffix("_gpu")]
        assert (twin.run, twin.noise, plain.noise) == (plain.run, "brownian_device", "brownian")


def error(name, steps, **settings):
    x = torch.full((1, 1, 1, 1), 10.0, dtype=torch.float64)
    sigmas = falling(steps)
    end = SOLVERS[name].run(Gaussian(), x, sigmas, no_noise(), ignore_step, **AS_ODE.get(name, {}), **settings)
    exact = path(x, sigmas[0], sigmas[-1])
    return ((end - exact) / exact).abs().item()


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_order_of_convergence(name, order):
    coarse, fine = error(name, 80), error(name, 160)
    assert fine < 0.01
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


def test_the_heun_form_of_dpmpp_2m_sde_converges_with_second_order():
    coarse, fine = (error("dpmpp_2m_sde", steps, solver_type="heun") for steps in (80, 160))
    assert fine < 0.01 and math.log2(coarse / fine) == pytest.approx(2, abs=0.35)


def test_every_solver_is_compared_with_a_closed_form():
    """By its order, or else by tests of its own below: what can't be made deterministic ends in the distribution."""
    others = {"dpm_fast", "dpm_adaptive", "dpmpp_2m_sde_heun", "ddpm", "lcm"}
    assert {*ORDERS} | {*DEVICE_TWINS} | others == {*SOLVERS}
    assert others <= OWN_STEPS | {*STOCHASTIC}


def test_dpm_fast_converges_with_third_order():
    coarse, fine = error("dpm_fast", 24 + 2), error("dpm_fast", 48 + 2)
    assert math.log2(coarse / fine) > 2.5


def test_dpm_adaptive_keeps_to_its_tolerance():
    x, sigmas = torch.full((1, 1, 1, 1), 10.0), falling(2)

    def off(**settings):
        end = SOLVERS["dpm_adaptive"].run(Gaussian(), x, sigmas, no_noise(), ignore_step, **settings)
        return (end / path(x, sigmas[0], sigmas[-1]) - 1).abs().item()

    assert off() < 0.05
    assert off(rtol=1e-3, atol=1e-4) < off(rtol=5e-2, atol=1e-3)
    assert off(order=2) < 0.1


def drawn(name, seed=1, shape=(1, 4, 64, 64), steps=60, **settings):
    solver = SOLVERS[name]
    sigmas = karras_sigmas(steps, 0.03, 14.6)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(99)) * (14.6**2 + SPREAD**2) ** 0.5
    return solver.run(Gaussian(), x, sigmas, noise_for(solver.noise, seed, x, sigmas), ignore_step, **settings)


FIRST_ORDER = {"euler_ancestral", "euler_ancestral_cfg_pp", "ddpm"}


@pytest.mark.parametrize("name", [n for n in STOCHASTIC if n != "lcm"])
def test_stochastic_solvers_end_in_the_distribution_of_the_data(name):
    end = drawn(name, steps=200 if name in FIRST_ORDER else 60)
    assert end.mean().item() == pytest.approx(0, abs=0.03)
    assert end.std().item() == pytest.approx(SPREAD, rel=0.06)


@pytest.mark.parametrize("name", sorted(AS_ODE))
def test_without_noise_a_stochastic_solver_follows_the_ode(name):
    sigmas = falling(160)
    x = torch.full((1, 1, 1, 1), 10.0, dtype=torch.float64)
    end = SOLVERS[name].run(Gaussian(), x, sigmas, no_noise(), ignore_step, **AS_ODE[name])
    torch.testing.assert_close(end, path(x, sigmas[0], sigmas[-1]), rtol=0.02, atol=0)


def test_lcm_is_exact_for_a_consistency_model():
    sigmas = karras_sigmas(8, 0.03, 14.6)
    x = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0)) * (14.6**2 + SPREAD**2) ** 0.5

    def consistent(x, sigma):
        return path(x, sigma, 0.0)

    end = SOLVERS["lcm"].run(consistent, x, sigmas, noise_for("ancestral", 1, x, sigmas))
    assert end.std().item() == pytest.approx(SPREAD, rel=0.03)


@pytest.mark.parametrize(
    "name", ["euler_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m_sde", "seeds_2", "er_sde"]
)
def test_stochastic_solvers_serve_flows_through_the_noise_argument(name):
    solver = SOLVERS[name]
    sigmas = torch.linspace(1, 0, 101)
    x = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(3))
    noise = noise_for(solver.noise, 1, x, sigmas, process=FLOW)
    end = solver.run(Gaussian(FLOW), x, sigmas, noise)
    assert end.std().item() == pytest.approx(SPREAD, rel=0.1)


def test_euler_is_ddim():
    """DDIM in its own variables: Song et al. (2021), arXiv 2010.02502, equation 12 with sigma_t = 0."""
    sigmas = karras_sigmas(10, 0.03, 14.6).double()
    x = torch.full((1, 1, 1, 1), 10.0, dtype=torch.float64)
    end = SOLVERS["ddim"].run(Gaussian(), x, sigmas, no_noise())
    alphas = 1 / (sigmas**2 + 1)
    y = x * alphas[0].sqrt()
    for sigma, a, a_next in zip(sigmas, alphas, alphas[1:], strict=False):
        x0 = Gaussian()(y / a.sqrt(), sigma)
        eps = (y - a.sqrt() * x0) / (1 - a).sqrt()
        y = a_next.sqrt() * x0 + (1 - a_next).sqrt() * eps
    torch.testing.assert_close(end, y)


def test_ddpm_is_ancestral_euler():
    torch.testing.assert_close(drawn("ddpm"), drawn("euler_ancestral"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("euler_cfg_pp", "euler"),
        ("euler_ancestral_cfg_pp", "euler_ancestral"),
        ("dpmpp_2s_ancestral_cfg_pp", "dpmpp_2s_ancestral"),
        ("dpmpp_2m_cfg_pp", "dpmpp_2m"),
        ("res_multistep_cfg_pp", "res_multistep"),
        ("res_multistep_ancestral_cfg_pp", "res_multistep_ancestral"),
        ("gradient_estimation_cfg_pp", "gradient_estimation"),
    ],
)
def test_cfg_pp_without_guidance_is_the_plain_solver(name, plain):
    assert SOLVERS[name].guided
    assert not SOLVERS[plain].guided
    torch.testing.assert_close(drawn(name, steps=10), drawn(plain, steps=10), rtol=1e-4, atol=1e-4)


def test_cfg_pp_goes_back_up_along_unconditional_noise():
    class TwoSided(Gaussian):
        def both(self, x, sigma):
            return Guided(torch.full_like(x, 3.0), torch.full_like(x, 1.0))

    x, sigmas = torch.full((1, 1, 1, 1), 9.0), torch.tensor([4.0, 2.0])
    end = SOLVERS["euler_cfg_pp"].run(TwoSided(), x, sigmas, no_noise())
    assert end.item() == 3.0 + 2.0 * (9.0 - 1.0) / 4.0


@pytest.mark.parametrize("name", SOLVERS)
def test_the_same_seed_gives_the_same_bytes(name):
    first, again, other = (drawn(name, seed, (1, 4, 8, 8), steps=6) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (SOLVERS[name].noise == "none" or name == "dpm_adaptive")


@pytest.mark.parametrize("name", [n for n in SOLVERS if n != "dpm_adaptive"])
def test_pictures_of_a_batch_do_not_touch_each_other(name):
    """Two batches that share their first picture and their noise."""
    solver = SOLVERS[name]
    sigmas = karras_sigmas(6, 0.03, 14.6)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    fixed = Noise(lambda _sigma, _sigma_next: noise)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(5)) * 14.6
    changed = torch.cat([x[:1], x[1:] * 2])
    first, second = solver.run(Gaussian(), x, sigmas, fixed), solver.run(Gaussian(), changed, sigmas, fixed)
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_each_step_is_told_once_with_its_index(name, steps):
    seen = []
    solver, x = SOLVERS[name], torch.ones(1, 4, 8, 8)
    sigmas = karras_sigmas(steps, 0.03, 14.6)
    denoise = Gaussian()

    def on_step(i, denoised):
        seen.append(i)
        assert denoised.shape == x.shape

    end = solver.run(denoise, x, sigmas, noise_for(solver.noise, 1, x, sigmas), on_step)
    assert seen == list(range(len(seen) if name == "dpm_adaptive" else steps))
    assert torch.isfinite(end).all()
    assert denoise.asked or (name == "dpm_adaptive" and steps == 1)
    assert 0.0 not in denoise.asked


@pytest.mark.parametrize("name", [n for n in SOLVERS if n not in OWN_STEPS])
def test_a_run_of_one_step_to_zero_returns_the_prediction(name):
    solver, x = SOLVERS[name], torch.full((1, 4, 8, 8), 8.0)
    sigmas = torch.tensor([14.0, 0.0])
    end = solver.run(Gaussian(), x, sigmas, noise_for(solver.noise, 1, x, sigmas))
    torch.testing.assert_close(end, Gaussian()(x, sigmas[0]), rtol=1e-4, atol=LAST_SIGMA)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_run_of_no_steps_returns_x(name):
    x = torch.ones(1, 4, 8, 8)
    assert torch.equal(SOLVERS[name].run(Gaussian(), x, torch.tensor([1.0]), no_noise()), x)


@pytest.mark.parametrize("name", SOLVERS)
def test_an_observer_can_end_a_run(name):
    class Stop(Exception):
        pass

    def on_step(i, _denoised):
        if i == 1:
            raise Stop

    solver, x = SOLVERS[name], torch.ones(1, 4, 8, 8)
    sigmas = karras_sigmas(6, 0.03, 14.6)
    denoise = Gaussian()
    with pytest.raises(Stop):
        solver.run(denoise, x, sigmas, noise_for(solver.noise, 1, x, sigmas), on_step)
    assert len(denoise.asked) <= 6


@pytest.mark.parametrize("name", SOLVERS)
def test_x_is_not_written_to(name):
    solver, x = SOLVERS[name], torch.ones(1, 4, 8, 8)
    sigmas = karras_sigmas(6, 0.03, 14.6)
    solver.run(Gaussian(), x, sigmas, noise_for(solver.noise, 1, x, sigmas))
    assert x._version == 0


def test_sa_solver_is_stochastic_in_the_middle_of_the_run():
    levels, drawn = stable_diffusion(), []

    def draw(sigma, sigma_next):
        drawn.append(sigma_next.item())
        return torch.zeros(1)

    sigmas = karras_sigmas(20, 0.03, 14.6)
    SOLVERS["sa_solver"].run(Gaussian(), torch.ones(1), sigmas, Noise(draw))
    first, last = levels.sigma_at(0.2), levels.sigma_at(0.8)
    assert drawn == [s for s in sigmas[1:].tolist() if first >= s >= last]


@pytest.mark.parametrize(("eta", "corrector_order"), [(0.0, 0), (1.0, 2)])
def test_sa_solver_of_simple_order_2_differs_by_less_and_less(eta, corrector_order):
    def difference(steps):
        sigmas, silent = karras_sigmas(steps, 0.03, 14.6)[:-1], Noise(lambda a, b: torch.zeros(1))
        settings = {"eta": eta, "predictor_order": 2, "corrector_order": corrector_order}
        exact, simple = (
            SOLVERS["sa_solver"].run(Gaussian(), torch.ones(1), sigmas, silent, simple_order_2=flag, **settings)
            for flag in (False, True)
        )
        return (exact - simple).abs().item()

    assert 0 < difference(80) < difference(20)


class NoCopies(TorchDispatchMode):
    """Refuses copies from one device to another: they would make the host wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            devices = {tensor.device.type for tensor in (*args[:2], result) if torch.is_tensor(tensor)}
            assert len(devices) == 1, "a copy between devices"
        return result


@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "dpm_adaptive"])
def test_no_step_waits_for_the_device(name):
    """On a device without memory nothing can be read back: whatever a step needs to know, it knows on the host.

    dpm_adaptive measures its error, which has to be read.
    """
    x, mask = torch.empty(1, 4, 16, 16, device="meta"), torch.ones(1, 16, 16, device="meta")
    left, right = Region(area=Area(16, 8, 0, 0)), Region(mask=mask, strength=0.5, last_sigma=1.0)
    parts = [Part({"context": torch.empty(1, 77, 8, device="meta")}, region) for region in (left, right, EVERYWHERE)]
    network = eps(lambda x, timestep, inputs: torch.empty_like(x), stable_diffusion())
    denoise = Inpaint(Guidance(network, parts, parts[2:], 7.0), mask[:, None], x, x)
    noise = Noise(lambda sigma, sigma_next: torch.empty_like(x))
    with NoCopies():
        assert SOLVERS[name].run(denoise, x, karras_sigmas(6, 0.03, 14.6), noise).is_meta


class Doubling:
    """Predicts twice x, and keeps the sizes that it saw."""

    def __init__(self):
        self.sizes = []

    def __call__(self, x, sigma):
        self.sizes.append(tuple(x.shape[-2:]))
        return 2 * x


class TestUpscaling:
    SIGMAS = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5, 0.0])

    def sampled(self, noise=None, **settings):
        denoise, x = Doubling(), torch.ones(2, 4, 8, 6)
        found = LCM_UPSCALE.run(denoise, x, self.SIGMAS, noise or noise_for("ancestral", 3, x, self.SIGMAS), **settings)
        return found, denoise.sizes

    def test_without_growth_it_is_lcm(self):
        x = torch.ones(2, 4, 8, 6)
        usual = SOLVERS["lcm"].run(Doubling(), x, self.SIGMAS, noise_for("ancestral", 3, x, self.SIGMAS))
        assert torch.equal(self.sampled()[0], usual)

    @pytest.mark.parametrize(("steps", "heights"), [
        (-1, [8, 11, 13, 16, 16, 16]), (2, [8, 12, 16, 16, 16, 16]), (1, [8] + [16] * 5), (0, [8] * 6),
        (5, [8, 10, 11, 13, 14, 16]), (1000, [8, 9, 11, 12, 13, 15]),
    ])  # fmt: skip
    def test_it_grows_by_equal_parts(self, steps, heights):
        found, sizes = self.sampled(scale_ratio=2.0, scale_steps=steps)
        assert [height for height, _ in [*sizes, found.shape[-2:]]] == heights
        assert found.shape[:2] == (2, 4) and found.shape[-1] == round(6 * heights[-1] / 8)

    def test_it_shrinks_as_well_with_the_function_that_it_is_given(self):
        seen = []

        def resize(x, width, height):
            seen.append((width, height))
            return torch.ones(*x.shape[:2], height, width)

        found, _ = self.sampled(scale_ratio=0.1, scale_steps=1, resize=resize)
        assert seen == [(1, 1)] and found.shape == (2, 4, 1, 1)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_keeps_to_the_device_of_x_and_waits_for_nothing_there(monkeypatch, name):
    """Over a GPU that is simulated; only dpm_adaptive looks at what came out, to choose its next step."""
    x, sigmas = torch.ones(1, 2, 4, 4), torch.tensor([10.0, 4.0, 1.0, 0.3, 0.0])
    solver = SOLVERS[name]

    def run(x):
        return solver.run(Gaussian(), x, sigmas, noise_for(solver.noise, 1, x, sigmas, "same-seed"))

    expected = run(x)
    with card(monkeypatch) as waits:
        start = x.to("cuda")
        waits.noted = True
        found = run(start)
        waits.noted = False
        found = found.cpu()
    assert name == "dpm_adaptive" or waits == []
    torch.testing.assert_close(found, expected)
