import pytest
import torch

from engine.errors import ModelError
from nodes.models.families import ldm_unet
from nodes.models.hooks import hooked
from nodes.models.hooks.middle import Attended, blurred, not_attending
from tests.nodes.models import tiny

X, T = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0)), torch.tensor([9.0, 9.0])
CONTEXT = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def unet():
    return tiny.filled(ldm_unet.build(tiny.UNET), 1)


def run(unet, *hooks):
    with torch.no_grad(), hooked(unet, hooks, X):
        return unet(X, T, CONTEXT, return_dict=False)[0]


def test_without_attention_only_the_middle_changes(unet):
    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    seen = []
    handle = attention.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    plain, hindered = run(unet), run(unet, not_attending)
    handle.remove()
    assert not torch.equal(plain, hindered) and torch.equal(run(unet), plain)
    assert torch.equal(seen[0][0], seen[1][0])


def test_attention_is_noted_per_place(unet):
    attended = Attended()
    assert torch.equal(run(unet, attended), run(unet))
    run(unet, attended)
    noted = attended.noted()
    assert noted.shape == (4, 1, 4, 6) and not attended.maps
    torch.testing.assert_close(noted.sum((1, 2, 3)), torch.full((4,), 24.0))


def test_a_network_without_attention_in_its_middle_has_no_map():
    with pytest.raises(ModelError, match="no self-attention"):
        Attended().noted()


def test_blur():
    x = torch.zeros(1, 2, 15, 15)
    x[..., 7, 7] = 1
    soft = blurred(x, 1.0)
    torch.testing.assert_close(soft.sum((2, 3)), torch.ones(1, 2))
    assert torch.equal(soft, soft.mT) and torch.equal(soft, soft.flip(-1)) and soft[0, 0, 7, 7] == soft.max()
    plain = torch.full((1, 1, 3, 5), 0.5)
    torch.testing.assert_close(blurred(plain, 3.0), plain)
    assert blurred(x, 0.0) is x
