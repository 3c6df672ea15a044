import pytest
import torch

from engine.errors import InputError
from nodes.packs.objects import from_foreign, to_foreign


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (torch.rand(2, 5, 6, 3), (2, 5, 6, 3)),
        (torch.rand(5, 6, 3), (1, 5, 6, 3)),
        (torch.rand(2, 5, 6, 1), (2, 5, 6, 3)),
        (torch.rand(2, 5, 6, 4).half(), (2, 5, 6, 4)),
        ([torch.rand(5, 6, 3), torch.rand(2, 5, 6, 3)], (3, 5, 6, 3)),
    ],
)
def test_pictures_become_a_batch(given, shape):
    found = from_foreign("IMAGE", given)
    assert found.shape == shape and found.dtype == torch.float32


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (torch.rand(2, 5, 6), (2, 5, 6)),
        (torch.rand(5, 6), (1, 5, 6)),
        (torch.rand(2, 1, 5, 6), (2, 5, 6)),
        (torch.rand(2, 5, 6, 1), (2, 5, 6)),
        (torch.rand(5, 6) > 0.5, (1, 5, 6)),
        ([torch.rand(5, 6), torch.rand(1, 5, 6)], (2, 5, 6)),
    ],
)
def test_masks_become_a_batch(given, shape):
    found = from_foreign("MASK", given)
    assert found.shape == shape and found.dtype == torch.float32


@pytest.mark.parametrize("type_name", ["IMAGE", "MASK"])
@pytest.mark.parametrize("given", ["a", torch.rand(3), [torch.rand(4, 5, 3), torch.rand(4, 6, 3)], []])
def test_anything_else_is_an_error(type_name, given):
    with pytest.raises(InputError, match=f"The node Test of Pack gives a {type_name}"):
        from_foreign(type_name, given)


def test_a_picture_goes_through_as_it_is():
    picture, mask = torch.rand(1, 4, 4, 3), torch.rand(1, 4, 4)
    assert from_foreign("IMAGE", to_foreign("IMAGE", picture)).data_ptr() == picture.data_ptr()
    assert torch.equal(from_foreign("MASK", to_foreign("MASK", mask)), mask)
    assert from_foreign("IMAGE", None) is None


def test_pictures_without_gradients_and_outside_of_inference_mode():
    with torch.inference_mode():
        made = torch.rand(1, 4, 4, 3)
    assert not from_foreign("IMAGE", made).is_inference()
    assert not from_foreign("IMAGE", torch.rand(1, 4, 4, 3, requires_grad=True)).requires_grad


def test_noise_levels_come_back_as_ours():
    assert from_foreign("SIGMAS", torch.tensor([3.0, 0.0], dtype=torch.float64)).dtype == torch.float32
