import numpy as np
import torch
from scipy.ndimage import convolve

from nodes.pixels.blur import gaussian_blur, gaussian_weights


def test_weights_of_radius_one():
    side = np.exp(-1 / 2)
    expected = np.array([side, 1, side]) / (1 + 2 * side)
    assert np.allclose(gaussian_weights(1, 1.0), expected)


def test_blur_is_a_convolution_with_a_square_gaussian_and_a_reflected_border():
    image = torch.rand((2, 7, 8, 3), generator=torch.Generator().manual_seed(1))
    axis = np.linspace(-1, 1, 5)
    kernel = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 0.7**2))
    kernel /= kernel.sum()
    blurred = gaussian_blur(image, 2, 0.7)
    for index in range(2):
        for channel in range(3):
            expected = convolve(image[index, :, :, channel].double().numpy(), kernel, mode="mirror")
            assert np.allclose(blurred[index, :, :, channel], expected, atol=1e-6)


def test_blur_leaves_the_picture_it_got():
    image = torch.rand((1, 4, 4, 3))
    before = image.clone()
    gaussian_blur(image, 1, 1.0)
    assert torch.equal(image, before)
