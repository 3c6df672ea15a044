"""The estimates are held against what real modules allocate while they run."""

import weakref

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nodes.models.families import controlnet, ldm_unet, ldm_vae
from nodes.models.working import SCRATCH, unet_bytes, vae_bytes
from tests.nodes.models import tiny

WIDE = {**tiny.UNET, "block_out_channels": (32, 64, 64), "layers_per_block": 2, "norm_num_groups": 8}
WIDE |= {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 1, 2),
}


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are made and not yet gone."""

    def __init__(self, weights):
        super().__init__()
        self.sizes = {parameter.untyped_storage()._cdata: 0 for parameter in weights}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self.sizes:
                    self.sizes[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self.sizes.pop, storage._cdata)
                    self.peak = max(self.peak, sum(self.sizes.values()))
        return result


class NoScores(TorchFunctionMode):
    """On the meta device attention would make its matrix of scores, which no real device does."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def peak(module, *args, **kwargs):
    with torch.no_grad(), Live(module.parameters()) as live, NoScores():
        module(*args, **kwargs)
    return live.peak


@pytest.mark.parametrize("config", [tiny.UNET, WIDE])
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 32, 32), (4, 16, 24)])
def test_a_unet_takes_what_is_said(config, batch, height, width):
    with torch.device("meta"):
        module = ldm_unet.build(config)
        x, context = torch.empty(batch, 4, height, width), torch.empty(batch, 77, 32)
        taken = peak(module, x, torch.ones(batch), context, return_dict=False)
    said = unet_bytes(config, batch, height * width, 4) / SCRATCH
    assert 0.95 * taken <= said <= 1.6 * taken


def test_a_controlnet_takes_no_more_than_a_unet():
    with torch.device("meta"):
        module = controlnet.build(tiny.CONTROL)
        x, context, picture = torch.empty(2, 4, 16, 16), torch.empty(2, 77, 32), torch.empty(2, 3, 32, 32)
        assert peak(module, x, torch.ones(2), context, picture) <= unet_bytes(tiny.CONTROL, 2, 256, 4)


@pytest.mark.parametrize("widths", [(8, 16), (16, 16, 32)])
def test_a_vae_takes_what_is_said(widths):
    levels = len(widths)
    config = {**tiny.VAE, "block_out_channels": widths, "down_block_types": ("DownEncoderBlock2D",) * levels}
    config["up_block_types"] = ("UpDecoderBlock2D",) * levels
    with torch.device("meta"):
        module = ldm_vae.build(config)
        cells = 64 // 2 ** (levels - 1)
        decoding = peak(module.decoder, torch.empty(1, 4, cells, cells))
        encoding = peak(module.encoder, torch.empty(1, 3, 64, 64))
    said = vae_bytes(config, 64 * 64, 4) / SCRATCH
    assert 0.95 * decoding <= said <= 1.6 * decoding
    assert encoding <= said


def test_half_the_precision_takes_half():
    assert unet_bytes(tiny.UNET, 2, 64, 2) * 2 == unet_bytes(tiny.UNET, 2, 64, 4)
    assert vae_bytes(tiny.VAE, 64, 2) * 2 == pytest.approx(vae_bytes(tiny.VAE, 64, 4), abs=1)
