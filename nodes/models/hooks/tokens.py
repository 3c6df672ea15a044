"""Cheaper self-attention: within tiles, or over fewer tokens. Neither is compared with the reference."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from nodes.models.hooks import Call, transformer_blocks
from nodes.network_options import Tiling, TokenMerging

Change = Callable[[Tensor], Tensor]
"""(batch, tokens, width) -> the same with other tokens."""


def tiled(option: Tiling, timestep: float) -> Any:
    """Return the hook of HyperTile (tfernd, 2023): attention within tiles, which differ from timestep to timestep."""

    def put(module: Any, call: Call) -> Iterator[RemovableHandle]:
        sizes = call.sizes(len(module.down_blocks))
        for number, (level, block) in enumerate(transformer_blocks(module)):
            if level > option.depth:
                continue
            least = option.cells * (2**level if option.scales else 1)
            draw = Random(f"{timestep} {number}")
            height, width = sizes[level]
            down, across = (draw.choice(tile_counts(side, least, option.swap)) for side in (height, width))
            if down * across > 1:
                yield from _around(block.attn1, *_tiles(height, width, down, across))

    return put


def tile_counts(side: int, least: int, swap: int) -> list[int]:
    """Return into how many tiles of at least ``least`` cells a side can be cut evenly: the ``swap`` largest numbers."""
    counts = [count for count in range(side, 0, -1) if side % count == 0 and side // count >= min(least, side)]
    return counts[:swap]


def _tiles(height: int, width: int, down: int, across: int) -> tuple[Change, Change]:
    inner = height // down, width // across

    def cut(x: Tensor) -> Tensor:
        tiles = x.view(len(x), down, inner[0], across, inner[1], -1).transpose(2, 3)
        return tiles.reshape(len(x) * down * across, inner[0] * inner[1], -1)

    def joined(x: Tensor) -> Tensor:
        batch = len(x) // (down * across)
        tiles = x.view(batch, down, across, inner[0], inner[1], -1).transpose(2, 3)
        return tiles.reshape(batch, height * width, -1)

    return cut, joined


def merged(option: TokenMerging) -> Any:
    """Return the hook of token merging: Bolya and Hoffman (2023), arXiv 2303.17604.

    The upper left token of every 2 x 2 takes in others that are like it; nothing is drawn at random.
    """

    def put(module: Any, call: Call) -> Iterator[RemovableHandle]:
        height, width = call.height, call.width
        for level, block in transformer_blocks(module):
            if level == 0 and min(height, width) > 1 and option.ratio:
                merging = Merging(height, width, option.ratio)
                yield from _around(block.attn1, merging.merge, merging.restore)

    return put


@lru_cache(8)
def places(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the numbers of the upper left token of every 2 x 2, and of the others, on a device.

    They are kept: to bring them there waits until all work there is done.
    """
    numbers = torch.arange(height * width).view(height, width)
    is_first = torch.zeros(height, width, dtype=torch.bool)
    is_first[: height // 2 * 2 : 2, : width // 2 * 2 : 2] = True
    return numbers[is_first].to(device), numbers[~is_first].to(device)


class Merging:
    """Merges tokens of a picture of height x width, and puts them back."""

    def __init__(self, height: int, width: int, ratio: float) -> None:
        self.height, self.width = height, width
        self.count = min(height * width - (height // 2) * (width // 2), int(height * width * ratio))
        self.away = self.kept = self.target = torch.empty(0)

    def merge(self, x: Tensor) -> Tensor:
        """Return (batch, fewer tokens, width): the tokens that are kept, then the 2 x 2 ones with what is like them."""
        stays, goes = places(self.height, self.width, x.device)
        unit = torch.nn.functional.normalize(x.float(), dim=-1)
        likeness, nearest = (unit[:, goes] @ unit[:, stays].mT).max(-1)
        order = likeness.argsort(dim=-1, descending=True)
        self.away, self.kept = goes[order[:, : self.count]], goes[order[:, self.count :]]
        self.target = nearest.gather(1, order[:, : self.count])
        taken = _at(x, self.away)
        into = self.target[..., None].expand_as(taken)
        return torch.cat([_at(x, self.kept), x[:, stays].scatter_reduce(1, into, taken, "mean")], 1)

    def restore(self, x: Tensor) -> Tensor:
        """Return (batch, all tokens, width): a token that was merged has the value of what it was merged into."""
        few = self.kept.shape[1]
        kept, whole = x[:, :few], x[:, few:]
        stays, _ = places(self.height, self.width, x.device)
        found = x.new_empty(x.shape[0], self.height * self.width, x.shape[-1])
        found[:, stays] = whole
        found.scatter_(1, self.kept[..., None].expand_as(kept), kept)
        taken = _at(whole, self.target)
        return found.scatter_(1, self.away[..., None].expand_as(taken), taken)


def _at(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))


def _around(attention: Any, before: Change, after: Change) -> Iterator[RemovableHandle]:
    """Change the tokens that go into a self-attention, and those that come out."""
    yield attention.register_forward_pre_hook(lambda _, inputs: (before(inputs[0]), *inputs[1:]))
    yield attention.register_forward_hook(lambda _, inputs, out: after(out))
