"""What a network predicts, turned into x0.

A ``Network`` is called as ``network(x_in, timestep, inputs)``: ``x_in`` scaled for it, ``timestep`` float32 (batch,),
``inputs`` whatever else it takes (context, pooled vector, ControlNets); it returns its raw prediction like x in shape.
A ``Predictor`` is the same network seen as ``predict(x, sigma, inputs) -> x0``.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.seam import Denoiser

Inputs: TypeAlias = Mapping[str, Any]
Network: TypeAlias = Callable[[Tensor, Tensor, Inputs], Tensor]
Predictor: TypeAlias = Callable[[Tensor, Tensor, Inputs], Tensor]


def _timesteps(levels: NoiseLevels, sigma: Tensor, x: Tensor) -> Tensor:
    """Return the timestep for each of x. It is made on the device: a copy would wait until all work there is done."""
    return torch.full((x.shape[0],), levels.timestep(sigma).item(), dtype=torch.float32, device=x.device)


def _unit_scaled(network: Network, levels: NoiseLevels, x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
    """The raw prediction for x / sqrt(sigma^2 + 1): variance-preserving networks see unit variance."""
    return network(x / (sigma**2 + 1) ** 0.5, _timesteps(levels, sigma, x), inputs)


def eps(network: Network, levels: NoiseLevels) -> Predictor:
    """Networks that predict the noise: x0 = x - sigma * eps (Ho et al. 2020, arXiv 2006.11239)."""
    return lambda x, sigma, inputs: x - _unit_scaled(network, levels, x, sigma, inputs) * sigma


def v(network: Network, levels: NoiseLevels) -> Predictor:
    """Networks that predict the velocity: x0 = x / (sigma^2 + 1) - v * sigma / sqrt(sigma^2 + 1).

    Salimans and Ho (2022), arXiv 2202.00512, with c_skip and c_out of Karras et al. (2022) at sigma_data 1.
    """

    def predict(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        prediction = _unit_scaled(network, levels, x, sigma, inputs)
        return x / (sigma**2 + 1) - prediction * sigma / (sigma**2 + 1) ** 0.5

    return predict


def x0(network: Network, levels: NoiseLevels) -> Predictor:
    """Networks that predict the clean signal."""
    return lambda x, sigma, inputs: _unit_scaled(network, levels, x, sigma, inputs)


def flow(network: Network, levels: NoiseLevels) -> Predictor:
    """Rectified flows, which predict noise - x0: x0 = x - sigma * u. x goes in unscaled."""
    return lambda x, sigma, inputs: x - network(x, _timesteps(levels, sigma, x), inputs) * sigma


def image(network: Network, levels: NoiseLevels) -> Predictor:
    """Networks that predict the clean signal from x as it is."""
    return lambda x, sigma, inputs: network(x, _timesteps(levels, sigma, x), inputs)


LCM_DATA, LCM_TIME = 0.5, 10.0


def consistency(network: Network, levels: NoiseLevels) -> Predictor:
    """Networks that predict the noise, distilled so that x0 = c_skip * x + c_out * (x - sigma * eps).

    c_skip = d^2 / (s^2 + d^2), c_out = s / sqrt(s^2 + d^2) with s ten times the timestep and d = 0.5: latent
    consistency models, Luo et al. (2023), arXiv 2310.04378, with diffusers' numbers. Not compared with the reference.
    """
    clean = eps(network, levels)

    def predict(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        s = levels.timestep(sigma) * LCM_TIME
        c_skip, c_out = LCM_DATA**2 / (s**2 + LCM_DATA**2), s / (s**2 + LCM_DATA**2) ** 0.5
        return c_out * clean(x, sigma, inputs) + c_skip * x

    return predict


EDM_DATA = 0.5


def edm(network: Network, levels: NoiseLevels) -> Predictor:
    """Networks preconditioned as in Karras et al. (2022), arXiv 2206.00364, table 1, for data of spread 0.5."""

    def predict(x: Tensor, sigma: Tensor, inputs: Inputs) -> Tensor:
        variance = sigma**2 + EDM_DATA**2
        prediction = network(x / variance**0.5, _timesteps(levels, sigma, x), inputs)
        return x * EDM_DATA**2 / variance + prediction * sigma * EDM_DATA / variance**0.5

    return predict


def unguided(predict: Predictor, inputs: Inputs) -> Denoiser:
    """A denoiser with one conditioning and no guidance."""
    return lambda x, sigma: predict(x, sigma, inputs)
