"""How networks that know nothing begin, and a group norm that trains faster on a CPU."""

from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

JITTER = 0.02
LOG_VARIANCE = -5.0
"""Of a fresh posterior: with unit variance its noise drowns the signal for hundreds of steps."""


def near_identity(vae: Any) -> None:
    """Begin an autoencoder as a linear pass-through: residual branches add nothing, resampling keeps its channels."""
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            _zero(module.conv2)
            if module.conv_shortcut is not None:
                _pass_through(module.conv_shortcut)
        elif isinstance(module, Downsample2D | Upsample2D):
            _pass_through(module.conv)
            with torch.no_grad():
                module.conv.weight.add_(torch.randn_like(module.conv.weight) * JITTER)
        elif isinstance(module, Attention):
            _zero(module.to_out[0])
    _certain_posterior(vae)


def _certain_posterior(vae: Any) -> None:
    quant, post_quant = vae.quant_conv, vae.post_quant_conv
    channels = len(quant.weight) // 2
    with torch.no_grad():
        quant.weight[channels:] *= 0.1
        quant.bias[channels:] = LOG_VARIANCE
        nn.init.dirac_(quant.weight[:channels])
        nn.init.dirac_(post_quant.weight)


def quiet_ends(unet: Any) -> None:
    """Begin a UNet as the original does: every residual branch, every transformer and the output start at zero."""
    for module in unet.modules():
        if isinstance(module, ResnetBlock2D):
            _zero(module.conv2)
        elif isinstance(module, Transformer2DModel):
            _zero(module.proj_out)
    _zero(unet.conv_out)


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _pass_through(convolution: nn.Module) -> None:
    weight = convolution.weight
    assert isinstance(weight, Tensor)
    if weight.shape[0] <= weight.shape[1]:
        nn.init.dirac_(weight)
    else:
        nn.init.orthogonal_(weight)
    if isinstance(convolution.bias, Tensor):
        nn.init.zeros_(convolution.bias)


class LayeredGroupNorm(nn.GroupNorm):
    """A group norm by way of a layer norm over each group: the same numbers to 1e-6.

    On a CPU the backward pass of torch's own is most of a small autoencoder's step.
    """

    def forward(self, x: Tensor) -> Tensor:
        grouped = x.reshape(x.shape[0], self.num_groups, -1)
        normed = functional.layer_norm(grouped, grouped.shape[-1:], eps=self.eps).view(x.shape)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return torch.addcmul(self.bias.view(shape).to(normed), normed, self.weight.view(shape).to(normed))


def speed_up_norms(module: nn.Module) -> None:
    """Give every group norm of a module the faster way, for training on a CPU."""
    for norm in module.modules():
        if type(norm) is nn.GroupNorm:
            norm.__class__ = LayeredGroupNorm
