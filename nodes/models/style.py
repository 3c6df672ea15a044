"""Style models: what an image encoder saw, as tokens of a prompt (the style adapter of T2I-Adapter).

Mou et al. (2023), arXiv 2302.08453. Not compared with the reference.
"""

import re

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models.weights import Weights

HEADS = 8
LAYER = re.compile(r"transformer_layes\.(\d+)\.")
"""Layers, as the files spell them."""


class QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (1.702 * x).sigmoid()


class Layer(nn.Module):
    """A residual block of attention, then one of two linear layers, with a norm before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", QuickGelu())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class StyleAdapter(nn.Module):
    """Turns the last hidden state of an image encoder (batch, tokens, width) into (batch, its tokens, context)."""

    def __init__(self, tokens: int, width: int, context: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width, self.context = width, context
        self.style_embedding = nn.Parameter(torch.empty(1, tokens, width))
        self.proj = nn.Parameter(torch.empty(width, context))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer_layes = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        own = self.style_embedding.expand(len(x), -1, -1)
        x = self.transformer_layes(self.ln_pre(torch.cat([x, own], 1)))
        out: Tensor = self.ln_post(x[:, -own.shape[1] :]) @ self.proj
        return out


def style_adapter(weights: Weights, device: torch.device) -> StyleAdapter:
    """Build a style model in float32. Raises ModelError where the file is something else."""
    if "style_embedding" not in weights.infos or "proj" not in weights.infos:
        raise ModelError(
            f"{weights.path.name} is not a style model that is known",
            got=", ".join([*weights.infos][:3]) or "no tensors",
            expected="the style adapter of T2I-Adapter",
        )
    _, tokens, width = weights.shape("style_embedding")
    layers = len({found[1] for name in weights.infos if (found := LAYER.match(name))})
    heads = HEADS if width % HEADS == 0 else 1
    module = StyleAdapter(tokens, width, weights.shape("proj")[1], layers, heads)
    try:
        module.load_state_dict({name: weights.tensor(name).float() for name in module.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"the tensors of {weights.path.name} do not make up a style model", got=str(error).split("\n")[-1].strip()
        ) from error
    return module.to(device).eval().requires_grad_(False)
