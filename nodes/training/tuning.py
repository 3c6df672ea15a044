"""Fine-tune a network by changes of its weights: one step after the other, each the same for the same seed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import ModelError
from nodes.models.families.checkpoint import Prediction
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Inputs, Network
from nodes.training.device import generator
from nodes.training.stages.diffusion import laid_on

OPTIMIZERS: Mapping[str, type[torch.optim.Optimizer]] = {
    "AdamW": torch.optim.AdamW,
    "Adam": torch.optim.Adam,
    "SGD": torch.optim.SGD,
    "RMSprop": torch.optim.RMSprop,
}
LOSSES: Mapping[str, Any] = {
    "MSE": functional.mse_loss,
    "L1": functional.l1_loss,
    "Huber": functional.huber_loss,
    "SmoothL1": functional.smooth_l1_loss,
}
"""By their names in workflow files, with torch's own settings."""

CPU = torch.device("cpu")
EPOCHS, BEGINNING = 2**40, 2**41
"""Numbers of steps that are never done: from the first on, the orders of epochs are drawn; at the second, weights."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A step sees ``accumulation`` batches of ``batch`` examples, then changes the weights once."""

    batch: int
    accumulation: int
    rate: float
    optimizer: Literal["AdamW", "Adam", "SGD", "RMSprop"]
    loss: Literal["MSE", "L1", "Huber", "SmoothL1"]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Latents (count, channels, height, width) in the model's scale, and for each what the network gets beside it.

    The model gives a ``prediction``, of the noise or the velocity, over noise ``levels``.
    """

    latents: Tensor
    inputs: Sequence[Inputs]
    prediction: Prediction
    levels: NoiseLevels


class Tuning:
    """Lets ``parameters`` of a network learn to predict what noise hides of examples.

    Every example is seen once before one is seen again. What is drawn depends on the seed and the step alone, and is
    drawn on the CPU.
    """

    def __init__(
        self, network: Network, parameters: Iterable[nn.Parameter], examples: Examples, settings: Settings
    ) -> None:
        self.network = network
        self.examples = examples
        self.settings = settings
        self.optimizer = OPTIMIZERS[settings.optimizer]([*parameters], lr=settings.rate)  # type: ignore[call-arg]

    @torch.enable_grad()
    def step(self, number: int) -> float:
        """Do a step and return its mean loss. Raises ModelError where that is no number."""
        self.optimizer.zero_grad()
        count = self.settings.accumulation
        losses = []
        for batch in range(number * count, (number + 1) * count):
            loss = self._loss(batch)
            (loss / count).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        mean = torch.stack(losses).mean().item()
        if not math.isfinite(mean):
            raise ModelError(
                f"The loss is no longer a number after {number} steps.",
                got=mean,
                expected="a finite loss",
                hint="Take a smaller learning rate, or train in fp32.",
            )
        self.optimizer.step()
        return mean

    def _loss(self, batch: int) -> Tensor:
        """Return the loss of a batch by its number."""
        size, examples = self.settings.batch, self.examples
        at = [self._example(place) for place in range(batch * size, (batch + 1) * size)]
        draw = generator(self.settings.seed, batch, CPU)
        table = examples.levels.table
        sigmas = table[torch.randint(len(table), (size,), generator=draw)]
        latents = examples.latents[at]
        noise = torch.randn(latents.shape, generator=draw).to(latents)
        noisy = laid_on(latents, noise, sigmas.to(latents), examples.prediction, math.inf)
        times = examples.levels.timestep(sigmas).to(latents)
        total = torch.zeros((), device=latents.device)
        for rows in _alike([examples.inputs[example] for example in at]):
            made = self.network(noisy.x[rows], times[rows], _joined([examples.inputs[at[row]] for row in rows]))
            total = total + LOSSES[self.settings.loss](made, noisy.target[rows]) * len(rows)
        return total / size

    def _example(self, place: int) -> int:
        epoch, within = divmod(place, len(self.examples.latents))
        return _order(self.settings.seed, epoch, len(self.examples.latents))[within]


@lru_cache(2)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    """Return the places of examples in the order in which an epoch shows them."""
    order: list[int] = torch.randperm(count, generator=generator(seed, EPOCHS + epoch, CPU)).tolist()
    return order


def _alike(inputs: Sequence[Inputs]) -> list[list[int]]:
    """Return the places of inputs that can share a call: their tensors have the same shapes."""
    groups: dict[tuple[tuple[str, torch.Size], ...], list[int]] = {}
    for place, each in enumerate(inputs):
        groups.setdefault(tuple((name, tensor.shape) for name, tensor in each.items()), []).append(place)
    return [*groups.values()]


def _joined(inputs: Sequence[Inputs]) -> dict[str, Tensor]:
    return {name: torch.cat([each[name] for each in inputs]) for name in inputs[0]}
