import torch

from nodes.models.hooks.freeu import smoothed, strengthened


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_half_of_the_channels_are_multiplied():
    h = noise(2, 4, 3, 3)
    found = strengthened(h, 1.5, by_content=False)
    assert torch.equal(found[:, :2], h[:, :2] * 1.5) and torch.equal(found[:, 2:], h[:, 2:])


def test_by_content_the_factor_follows_the_mean_of_the_channels():
    h = torch.zeros(1, 4, 1, 3)
    h[:, :, 0] = torch.tensor([1.0, 2.0, 3.0])
    factor = strengthened(h, 1.5, by_content=True)[0, 0, 0] / h[0, 0, 0]
    torch.testing.assert_close(factor, torch.tensor([1.0, 1.25, 1.5]))


def test_low_frequencies_are_multiplied_and_high_ones_stay():
    plain, checkered = torch.full((1, 1, 8, 8), 2.0), torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    torch.testing.assert_close(smoothed(plain + checkered, 0.25), plain * 0.25 + checkered)
    x = noise(2, 3, 7, 5)
    torch.testing.assert_close(smoothed(x, 1.0), x)
