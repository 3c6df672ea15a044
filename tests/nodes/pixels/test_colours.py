import torch

from nodes.pixels.colours import to_rgb, to_yuv


def test_there_and_back_is_the_same_picture():
    image = torch.rand(2, 5, 4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_rgb(to_yuv(image)), image, atol=2e-3, rtol=0)
    assert torch.equal(to_yuv(torch.cat([image, torch.rand(2, 5, 4, 1)], -1)), to_yuv(image))


def test_grey_has_no_colour():
    found = to_yuv(torch.full((1, 1, 1, 3), 0.25)).flatten()
    torch.testing.assert_close(found, torch.tensor([0.25, 0.5, 0.5]))
