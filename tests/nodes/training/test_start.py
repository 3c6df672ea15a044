import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from nodes.models.families import ldm_unet, ldm_vae
from nodes.training.start import LayeredGroupNorm, near_identity, quiet_ends, speed_up_norms
from tests.nodes.models import tiny


def test_a_quiet_unet_says_nothing() -> None:
    torch.manual_seed(0)
    unet = ldm_unet.build(tiny.UNET)
    quiet_ends(unet)
    made = unet(torch.randn(2, 4, 8, 8), torch.tensor([1, 900]), torch.randn(2, 5, 32), return_dict=False)[0]
    assert not made.any()


def test_blocks_of_a_fresh_autoencoder_add_nothing() -> None:
    torch.manual_seed(0)
    vae = ldm_vae.build(tiny.VAE)
    near_identity(vae)
    blocks = [m for m in vae.modules() if isinstance(m, ResnetBlock2D) and m.conv_shortcut is None]
    assert len(blocks) == 8
    for block in blocks:
        x = torch.randn(1, block.in_channels, 4, 4)
        assert torch.equal(block(x, None), x)


def test_the_posterior_of_a_fresh_autoencoder_is_certain() -> None:
    torch.manual_seed(0)
    vae = ldm_vae.build(tiny.VAE)
    near_identity(vae)
    std = vae.encode(torch.randn(1, 3, 16, 16)).latent_dist.std
    assert 0.05 < std.mean() < 0.12


def test_the_fast_norm_is_the_norm() -> None:
    torch.manual_seed(0)
    plain, fast = nn.GroupNorm(4, 16), LayeredGroupNorm(4, 16)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(2, 16, 6, 6)
    grads = []
    for norm in (plain, fast):
        leaf = x.clone().requires_grad_(True)
        norm(leaf).sin().sum().backward()
        grads.append((leaf.grad, norm.weight.grad, norm.bias.grad))
    assert torch.allclose(plain(x), fast(x), atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*grads, strict=True))


def test_every_norm_is_made_fast_and_keeps_its_weights() -> None:
    unet = ldm_unet.build(tiny.UNET)
    before = unet.state_dict()
    speed_up_norms(unet)
    norms = [m for m in unet.modules() if isinstance(m, nn.GroupNorm)]
    assert {type(norm) for norm in norms} == {LayeredGroupNorm}
    assert [*unet.state_dict()] == [*before]
