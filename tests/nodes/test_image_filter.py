import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from nodes.image_filter import canny, image_quantize, image_sharpen, morphology
from nodes.pixels.quantize import bayer


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_sharpening_leaves_a_plain_picture_alone_and_steepens_an_edge():
    plain = torch.full((1, 6, 6, 3), 0.3)
    torch.testing.assert_close(image_sharpen(plain, 2), plain)
    edge = torch.where(torch.arange(8) < 4, 0.4, 0.6).view(1, 1, 8, 1).expand(1, 8, 8, 3)
    sharp = image_sharpen(edge, 1, 1.0, 0.1)
    assert sharp[0, 4, 3, 0] < 0.4 and sharp[0, 4, 4, 0] > 0.6 and sharp[0, 4, 0, 0] == pytest.approx(0.4)
    assert image_sharpen(edge, 1, 1.0, 0.0) is edge


def test_a_picture_too_small_to_sharpen_is_refused():
    with pytest.raises(InputError, match="too small") as caught:
        image_sharpen(noise(1, 3, 9, 3), 3)
    assert caught.value.input == "sharpen_radius"


def test_canny_draws_the_outline_of_a_square():
    image = torch.zeros(1, 24, 24, 3)
    image[:, 8:16, 8:16] = 1
    edges = canny(image, 0.8, 0.4)
    assert edges.shape == image.shape and edges.unique().tolist() == [0, 1]
    assert not edges[0, 11:13, 11:13].any() and edges[0, 12, 6:10].any() and not edges[0, :4].any()
    assert torch.equal(edges, canny(image, 0.4, 0.8))


class TestMorphology:
    IMAGE = torch.zeros(1, 7, 7, 3).index_put_((torch.tensor(0), torch.tensor(3), torch.tensor(3)), torch.ones(3))

    def test_a_point_grows_into_a_square_and_shrinks_away(self):
        assert morphology(self.IMAGE, operation="dilate", kernel_size=3)[..., 0].sum() == 9
        assert not morphology(self.IMAGE, operation="erode", kernel_size=3).any()
        assert not morphology(self.IMAGE, operation="open", kernel_size=3).any()
        assert torch.equal(morphology(self.IMAGE, operation="close", kernel_size=3), self.IMAGE)
        assert torch.equal(morphology(self.IMAGE, operation="top_hat", kernel_size=3), self.IMAGE)
        assert not morphology(self.IMAGE, operation="bottom_hat", kernel_size=3).any()

    @given(st.integers(3, 12), st.integers(0, 9))
    def test_opening_is_below_and_closing_above_the_picture(self, side, seed):
        image = noise(1, 9, 8, 3, seed=seed)
        opened = morphology(image, operation="open", kernel_size=side)
        closed = morphology(image, operation="close", kernel_size=side)
        assert (opened <= image).all() and (closed >= image).all()
        assert torch.equal(morphology(opened, operation="open", kernel_size=side), opened)
        hats = (morphology(image, operation=name, kernel_size=side) for name in ("gradient", "top_hat", "bottom_hat"))
        assert all((hat >= 0).all() for hat in hats)

    def test_agrees_with_kornia(self):
        from kornia.morphology import dilation, erosion

        image = noise(2, 8, 9, 3)
        for name, operation in (("dilate", dilation), ("erode", erosion)):
            expected = operation(image.movedim(-1, 1), torch.ones(5, 5)).movedim(1, -1)
            torch.testing.assert_close(morphology(image, operation=name, kernel_size=5), expected)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-16"])
@pytest.mark.parametrize("colors", [1, 5, 256])
def test_quantizing_uses_that_many_colours_at_most(dither, colors):
    image = noise(2, 20, 17, 3)
    found = image_quantize(image, colors, dither=dither)
    assert found.shape == image.shape
    assert max(len(each.reshape(-1, 3).unique(dim=0)) for each in found) <= colors
    assert colors == 1 or (found - image).abs().mean() < 0.3


def test_a_bayer_matrix_has_every_threshold_once():
    assert bayer(2).tolist() == [[-0.5, 0.0], [0.25, -0.25]]
    assert sorted((bayer(8).flatten() + 0.5) * 64) == list(range(64))
