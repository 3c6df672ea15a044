import math

import pytest
import torch

from tests.parity.compare import Row, psnr


def test_psnr_is_relative_to_the_span_of_what_is_expected():
    expected = torch.tensor([-1.0, 3.0, 0.0, 0.0])
    assert psnr(expected, expected + 0.04) == pytest.approx(40, abs=1e-3)
    assert psnr(expected, expected) == math.inf


def test_another_shape_is_an_error():
    with pytest.raises(AssertionError, match=r"shape \(2,\), expected \(1,\)"):
        psnr(torch.zeros(1), torch.zeros(2))


@pytest.mark.parametrize(
    ("decibels", "worst", "passes"),
    [(90.0, 1, True), (89.9, 1, False), (120.0, 2, False), (math.nan, 0, True), (math.inf, 0, True)],
)
def test_a_case_passes_by_its_latent_and_its_picture(decibels, worst, passes):
    assert Row("x", decibels, worst, 0.0, 1.0).passes is passes
