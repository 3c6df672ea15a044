"""Reach into a UNet of diffusers while it runs. Hooks are put on before a call and taken off behind it.

The module belongs to the pool and is shared by all recipes of the same weights, so nothing may stay on it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from torch import Tensor, nn

HOOKS = "hooks"
"""The input of a network that holds a tuple of Hook."""


@dataclass(frozen=True, slots=True)
class Call:
    """One pass through a UNet: height and width of the latent in cells."""

    height: int
    width: int

    def sizes(self, levels: int) -> list[tuple[int, int]]:
        """Return height and width on each level of the network, from the outermost: each is half of the one before."""
        found = [(self.height, self.width)]
        for _ in range(levels - 1):
            height, width = found[-1]
            found.append(((height + 1) // 2, (width + 1) // 2))
        return found


class Removable(Protocol):
    """What was put on a module, and can be taken off."""

    def remove(self) -> None: ...


Hook: TypeAlias = Callable[[Any, Call], Iterable[Removable]]
"""Puts hooks on a UNet for one call."""


@contextmanager
def hooked(module: nn.Module, hooks: Sequence[Hook], x: Tensor) -> Iterator[None]:
    """Have hooks on a UNet for one call with ``x`` (batch, channels, height, width)."""
    handles: list[Removable] = []
    try:
        if hooks:
            call = Call(x.shape[-2], x.shape[-1])
            for hook in hooks:
                handles.extend(hook(module, call))
        yield
    finally:
        for handle in handles:
            handle.remove()


def transformer_blocks(module: Any) -> Iterator[tuple[int, Any]]:
    """Yield the transformer blocks of a UNet, each with the level that it is on; the middle is on the last."""
    last = len(module.down_blocks) - 1
    levels = [*enumerate(module.down_blocks), (last, module.mid_block)]
    levels += [(last - place, block) for place, block in enumerate(module.up_blocks)]
    for level, block in levels:
        for attention in getattr(block, "attentions", None) or ():
            for transformer in attention.transformer_blocks:
                yield level, transformer


def steps(block: Any) -> list[tuple[Any, Any]]:
    """Return the first and the last module of each step of a block of the way down or up: residual block, attention."""
    attentions = getattr(block, "attentions", None) or block.resnets
    return [*zip(block.resnets, attentions, strict=True)]


def on_the_way_down(module: Any) -> list[tuple[Any, Any]]:
    """Return the first and the last module of every block of the way down, numbered as in the original layout."""
    found = [(module.conv_in, module.conv_in)]
    for block in module.down_blocks:
        found += [*steps(block), *((sampler, sampler) for sampler in block.downsamplers or ())]
    return found


def joins(module: Any) -> Iterator[tuple[Any, int]]:
    """Yield the residual blocks of the way up, numbered as in the original layout.

    What comes in is joined of so many channels from below, which stand with each, and of a skip.
    """
    widths = module.config.block_out_channels[::-1]
    for place, block in enumerate(module.up_blocks):
        for step, resnet in enumerate(block.resnets):
            yield resnet, widths[max(0, place - 1)] if step == 0 else widths[place]
