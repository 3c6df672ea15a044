import pytest
import torch

from engine.errors import ModelError
from nodes.models.families import unclip
from nodes.models.weights import open_weights
from nodes.recipes import Unclip
from tests.nodes.models import tiny, tiny_sd2

EMBEDS = torch.linspace(-1, 1, 24)[None]


@pytest.fixture
def weights(tmp_path):
    return open_weights(tiny.write(tmp_path / "it", tiny_sd2.unclip(), {}))


def vector(weights, *pictures):
    return unclip.vector(weights, 48, [Unclip(*picture) for picture in pictures])


def test_without_noise_it_is_the_picture_and_a_clock_at_zero(weights):
    found = vector(weights, (EMBEDS, 1.0, 0.0))
    torch.testing.assert_close(found[:, :24], EMBEDS, atol=0.05, rtol=0)
    assert found[0, 24:].tolist() == [1.0] * 12 + [0.0] * 12
    torch.testing.assert_close(vector(weights, (EMBEDS, 0.5, 0.0)), found * 0.5)


def test_all_noise_leaves_nothing_of_the_picture(weights):
    found = [vector(weights, (embeds, 1.0, 1.0))[:, :24] for embeds in (EMBEDS, -EMBEDS)]
    torch.testing.assert_close(found[0], found[1], atol=1e-2, rtol=0)
    assert abs(found[0].mean() - 0.5) < 1.5 and torch.equal(found[0], vector(weights, (EMBEDS, 1.0, 1.0))[:, :24])


def test_several_pictures_are_added_up(weights):
    found = vector(weights, (EMBEDS, 0.5, 0.0), (EMBEDS, 0.5, 0.0))
    torch.testing.assert_close(found[:, :24], EMBEDS, atol=0.6, rtol=0)
    torch.testing.assert_close(found, vector(weights, (EMBEDS.expand(2, 24), 0.5, 0.0)))


def test_signal_falls_along_the_cosine():
    signals = [unclip._signal(level) for level in (0, 500, 999)]
    assert signals[0] > 0.999 and 0.4 < signals[1] < 0.6 and signals[2] < 1e-4


def test_another_encoder_is_told(weights):
    with pytest.raises(ModelError, match="another image encoder"):
        vector(weights, (torch.ones(1, 16), 1.0, 0.0))
