"""Reach into the self-attention in the middle of a UNet."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from engine.errors import ModelError
from nodes.models.hooks import Call


def _middle(module: Any) -> list[Any]:
    attentions = getattr(module.mid_block, "attentions", None) or ()
    return [block.attn1 for attention in attentions for block in attention.transformer_blocks]


def not_attending(module: Any, call: Call) -> Iterator[RemovableHandle]:
    """The hook after which each token in the middle sees itself only: Ahn et al. (2024), arXiv 2403.17377."""
    for attention in _middle(module):
        yield attention.register_forward_hook(lambda attn, inputs, out: attn.to_out[0](attn.to_v(inputs[0])))


class Attended:
    """A hook that notes how much each place of the middle is attended to, by all places and the mean head."""

    def __init__(self) -> None:
        self.maps: list[Tensor] = []

    def noted(self) -> Tensor:
        """Return (batch, 1, height, width) of the calls since the last one asked; a place with an even share has 1.

        Raises ModelError where the network has no attention in its middle.
        """
        if not self.maps:
            raise ModelError(
                "The network has no self-attention in its middle.", hint="Leave SelfAttentionGuidance out."
            )
        found, self.maps = torch.cat(self.maps), []
        return found

    def __call__(self, module: Any, call: Call) -> Iterator[RemovableHandle]:
        sizes = call.sizes(len(module.down_blocks))
        for attention in _middle(module)[:1]:

            def note(attn: Any, inputs: tuple[Tensor, ...], out: Tensor) -> None:
                x = inputs[0]
                query, key = (
                    part(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2).float() for part in (attn.to_q, attn.to_k)
                )
                shares = (query @ key.mT * attn.scale).softmax(-1)
                tokens = shares.mean(1).sum(1)
                height, width = next(size for size in sizes if size[0] * size[1] == tokens.shape[-1])
                self.maps.append(tokens.view(-1, 1, height, width))

            yield attention.register_forward_hook(note)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Blur (batch, channels, height, width) with a Gaussian of ``sigma`` cells over 9 x 9; borders are reflected."""
    if not sigma:
        return x
    reach = [min(4, side - 1) for side in x.shape[-2:]]
    for axis, cells in zip((-2, -1), reach, strict=True):
        distance = torch.arange(-cells, cells + 1, device=x.device)
        weights = (-(distance**2) / (2 * sigma**2)).exp()
        weights /= weights.sum()
        padding = (0, 0, cells, cells) if axis == -2 else (cells, cells, 0, 0)
        wide = torch.nn.functional.pad(x, padding, mode="reflect").movedim(axis, -1)
        x = (wide.unfold(-1, len(weights), 1) @ weights.to(x)).movedim(-1, axis)
    return x
