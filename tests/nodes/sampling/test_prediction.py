import pytest
import torch

from nodes.sampling.noise_levels import ContinuousLevels, FlowLevels, distilled, stable_diffusion
from nodes.sampling.prediction import consistency, edm, eps, flow, image, unguided, v, x0

LEVELS = stable_diffusion()
CLEAN = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))


class Truth:
    """A network that knows what is asked of it. Keeps its last call."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, x, timestep, inputs):
        self.x, self.timestep, self.inputs = x, timestep, inputs
        return self.answer


def of_unit_variance(sigma):
    """The signal's and the noise's share of x / sqrt(sigma^2 + 1)."""
    norm = (sigma**2 + 1) ** 0.5
    return 1 / norm, sigma / norm


@pytest.mark.parametrize("level", [0, 321, 999])
@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_a_right_prediction_gives_the_clean_signal(kind, level):
    sigma = LEVELS.table[level]
    alpha, beta = of_unit_variance(sigma)
    answer = {"eps": NOISE, "v": alpha * NOISE - beta * CLEAN, "x0": CLEAN}[kind]
    network = Truth(answer)
    denoised = {"eps": eps, "v": v, "x0": x0}[kind](network, LEVELS)(CLEAN + sigma * NOISE, sigma, {"k": 1})
    torch.testing.assert_close(denoised, CLEAN, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.x, alpha * CLEAN + beta * NOISE)
    assert network.timestep.tolist() == [level, level]
    assert network.timestep.dtype == torch.float32
    assert network.inputs == {"k": 1}


def test_timesteps_between_are_whole():
    network = Truth(NOISE)
    sigma = (LEVELS.table[10] * 0.3 + LEVELS.table[11] * 0.7).float()
    eps(network, LEVELS)(CLEAN, sigma, {})
    assert network.timestep.tolist() == [11.0, 11.0]


def test_flow():
    sigma = torch.tensor(0.25)
    network = Truth(NOISE - CLEAN)
    x = (1 - sigma) * CLEAN + sigma * NOISE
    torch.testing.assert_close(flow(network, FlowLevels(shift=3.0))(x, sigma, {}), CLEAN)
    assert torch.equal(network.x, x)
    assert network.timestep.tolist() == [250.0, 250.0]


def test_unguided_binds_the_inputs():
    network = Truth(NOISE)
    denoise = unguided(eps(network, LEVELS), {"context": "text"})
    denoise(CLEAN, LEVELS.table[5])
    assert network.inputs == {"context": "text"}


def test_networks_that_see_x_as_it_is():
    network = Truth(CLEAN)
    sigma = LEVELS.table[500]
    assert torch.equal(image(network, LEVELS)(CLEAN + sigma * NOISE, sigma, {}), CLEAN)
    assert torch.equal(network.x, CLEAN + sigma * NOISE)


@pytest.mark.parametrize("sigma", [0.01, 0.5, 80.0])
def test_edm_preconditioning_gives_the_clean_signal(sigma):
    sigma, levels = torch.tensor(sigma), ContinuousLevels(0.002, 120.0)
    spread = (sigma**2 + 0.25) ** 0.5
    network = Truth((sigma / (0.5 * spread)) * CLEAN - (0.5 / spread) * NOISE)
    denoised = edm(network, levels)(CLEAN + sigma * NOISE, sigma, {})
    torch.testing.assert_close(denoised, CLEAN, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(network.timestep, (sigma.log() / 4).expand(2))


def test_consistency_models_keep_x_where_there_is_no_noise():
    levels, network = distilled(LEVELS), Truth(NOISE)
    noisy = consistency(network, levels)(CLEAN + levels.table[-1] * NOISE, levels.table[-1], {})
    assert network.timestep.tolist() == [999.0, 999.0]
    torch.testing.assert_close(noisy, CLEAN, rtol=1e-3, atol=1e-3)
