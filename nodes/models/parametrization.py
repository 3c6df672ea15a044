"""What a model's output means: the prediction, the noise levels and the process that it was trained with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from nodes.models.families.checkpoint import Checkpoint
from nodes.recipes import ContinuousSampling, DiscreteSampling, FlowSampling, Model
from nodes.sampling import prediction
from nodes.sampling.noise_levels import (
    AngularLevels,
    ContinuousLevels,
    FlowLevels,
    NoiseLevels,
    distilled,
    stable_diffusion,
    zero_terminal_snr,
)
from nodes.sampling.prediction import Network, Predictor
from nodes.sampling.process import FLOW, VE, Process

Prediction: TypeAlias = Callable[[Network, NoiseLevels], Predictor]


@dataclass(frozen=True, slots=True, eq=False)
class Parametrization:
    """How a network becomes a predictor of x0, over which levels, and how signal and noise mix on them."""

    prediction: Prediction
    levels: NoiseLevels
    process: Process = VE

    def predictor(self, network: Network) -> Predictor:
        return self.prediction(network, self.levels)


PREDICTORS: Mapping[str, Prediction] = {
    "eps": prediction.eps, "v": prediction.v, "flow": prediction.flow,
}  # fmt: skip

diffusion_levels = cache(stable_diffusion)


def parametrization(model: Model, checkpoint: Checkpoint) -> Parametrization:
    """Return what a model was trained with: what the last of its options says, or else its checkpoint."""
    match next((option for option in reversed(model.options) if isinstance(option, SAMPLING)), None):
        case DiscreteSampling() as chosen:
            return _discrete(chosen)
        case ContinuousSampling() as chosen:
            predict = CONTINUOUS[chosen.prediction]
            clock = AngularLevels if chosen.clock == "angle" else ContinuousLevels
            return Parametrization(predict, clock(chosen.sigma_min, chosen.sigma_max))
        case FlowSampling() as chosen:
            own = checkpoint.levels()
            levels = own if isinstance(own, FlowLevels) else FlowLevels()
            levels = replace(levels, shift=chosen.shift, steps=chosen.steps)
            return Parametrization(prediction.flow, levels, FLOW)
    if checkpoint.prediction == "flow":
        return Parametrization(prediction.flow, checkpoint.levels(), FLOW)
    return Parametrization(PREDICTORS[checkpoint.prediction], checkpoint.levels())


SAMPLING = (DiscreteSampling, ContinuousSampling, FlowSampling)

DISCRETE: Mapping[str, Prediction] = {
    "eps": prediction.eps,
    "v_prediction": prediction.v,
    "lcm": prediction.consistency,
    "x0": prediction.x0,
    "img_to_img": prediction.image,
}
CONTINUOUS: Mapping[str, Prediction] = {
    "eps": prediction.eps, "v_prediction": prediction.v, "edm": prediction.edm,
}  # fmt: skip


def _discrete(chosen: DiscreteSampling) -> Parametrization:
    levels = zero_terminal_snr(diffusion_levels()) if chosen.zero_terminal else diffusion_levels()
    if chosen.prediction == "lcm":
        levels = distilled(levels)
    return Parametrization(DISCRETE[chosen.prediction], levels)
