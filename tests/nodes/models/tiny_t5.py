"""A tiny T5 encoder with random weights under the names of its files."""

from functools import cache

import torch
from torch import Tensor
from transformers.models.t5.configuration_t5 import T5Config
from transformers.models.t5.modeling_t5 import T5EncoderModel

from nodes.models.t5_tokenizer import VOCABULARY

WIDTH = 32


@cache
def reference(width: int = WIDTH) -> T5EncoderModel:
    """The encoder of transformers."""
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=width,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        use_cache=False,
    )
    module = T5EncoderModel(config)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((torch.randn(parameter.shape, generator=generator) * 0.3).half().float())
    return module.eval().requires_grad_(False)


def encoder(width: int = WIDTH) -> dict[str, Tensor]:
    """Its tensors in float16, as files have them."""
    state = reference(width).state_dict()
    return {name: tensor.half() for name, tensor in state.items() if "embed_tokens" not in name}
