"""What a model's output means: the prediction, the noise levels and the process that it was trained with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from nodes.models.families.checkpoint import Checkpoint
from nodes.sampling import prediction
from nodes.sampling.noise_levels import FlowLevels, NoiseLevels, stable_diffusion
from nodes.sampling.prediction import Network, Predictor
from nodes.sampling.process import FLOW, VE, Process


@dataclass(frozen=True, slots=True, eq=False)
class Parametrization:
    """How a network becomes a predictor of x0, over which levels, and how signal and noise mix on them."""

    prediction: Callable[[Network, NoiseLevels], Predictor]
    levels: NoiseLevels
    process: Process = VE

    def predictor(self, network: Network) -> Predictor:
        return self.prediction(network, self.levels)


PREDICTORS: Mapping[str, Callable[[Network, NoiseLevels], Predictor]] = {
    "eps": prediction.eps, "v": prediction.v, "flow": prediction.flow,
}  # fmt: skip

diffusion_levels = cache(stable_diffusion)


def parametrization(checkpoint: Checkpoint) -> Parametrization:
    """Return what a checkpoint was trained with."""
    if checkpoint.prediction == "flow":
        return Parametrization(prediction.flow, FlowLevels(), FLOW)
    return Parametrization(PREDICTORS[checkpoint.prediction], diffusion_levels())
