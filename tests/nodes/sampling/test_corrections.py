import torch

from nodes.sampling.corrections import Corrected, blurred_attention, perturbed
from nodes.sampling.guidance import Guidance, Part

X, SIGMA = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor(1.5)
POSITIVE, NEGATIVE = (Part({"level": 2.0}),), (Part({"level": 1.0}),)
HINDERED = (Part({"level": 2.0, "hindered": True}),)


class Predictor:
    """Predicts x times a level, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, x, sigma, inputs):
        self.asked.append((inputs["level"], inputs.get("hindered", False)))
        return x * inputs["level"] * (0.5 if inputs.get("hindered") else 1.0)


def test_a_hindered_prediction_is_kept_away_from():
    predict = Predictor()
    guidance = Guidance(predict, POSITIVE, NEGATIVE, 3.0)
    weak = perturbed(predict, HINDERED, 2.0)
    found = Corrected(guidance, [weak], needs_uncond=False)(X, SIGMA)
    torch.testing.assert_close(found, X + (2 * X - X) * 3 + (2 * X - X) * 2)
    assert predict.asked == [(2.0, False), (1.0, False), (2.0, True)]


def test_at_scale_one_the_negative_side_is_not_asked():
    predict = Predictor()
    weak = perturbed(predict, HINDERED, 2.0)
    corrected = Corrected(Guidance(predict, POSITIVE, NEGATIVE, 1.0), [weak], needs_uncond=False)
    torch.testing.assert_close(corrected(X, SIGMA), 2 * X + 2 * X)
    assert predict.asked == [(2.0, False), (2.0, True)]
    both = corrected.both(X, SIGMA)
    torch.testing.assert_close(both.uncond, X)


def test_what_is_attended_to_is_blurred_and_the_noise_kept():
    predict = Predictor()
    seen = torch.zeros(1, 1, 2, 2)
    seen[..., 0, 0] = 2.0
    sag = blurred_attention(predict, NEGATIVE, lambda: seen, lambda x: x * 0, 0.5)
    found = Corrected(Guidance(predict, POSITIVE, NEGATIVE, 3.0), [sag], needs_uncond=True)(X, SIGMA)
    degraded = X.clone()
    degraded[..., :2, :2] = 0
    weak = degraded + X - X
    torch.testing.assert_close(found, X + (2 * X - X) * 3 + (degraded - weak) * 0.5)
