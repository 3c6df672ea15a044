import torch

from nodes.training.grids import grid


def test_pictures_lie_in_rows() -> None:
    colours = torch.linspace(-1, 1, 5)
    pictures = colours[:, None, None, None].expand(5, 3, 2, 4)
    pixels = grid(pictures, 3)
    assert pixels.shape == (4, 12, 3)
    assert pixels.dtype == torch.uint8
    assert pixels[::2, ::4, 0].tolist() == [[0, 64, 128], [191, 255, 255]]
