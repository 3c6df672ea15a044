"""Whether a network is in memory as a whole, or which of its blocks come and go."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TypeVar

from torch import nn

from engine.failures import ran_out
from nodes.models.assemble import Source, empty, filled
from nodes.models.controlnet import Controlnet
from nodes.models.memory import staying
from nodes.models.residents import Parts, Residents
from nodes.models.streaming import Stream, blocks
from nodes.models.unet import Unet

Placed = TypeVar("Placed", Unet, Controlnet)

FINENESS = 32
"""A network that does not fit comes in blocks of at most this part of it."""


def needed_bytes(source: Source) -> int:
    """Return the bytes of a network's weights, but for those that are shared. Reads headers only."""
    return sum(_bytes(source, name) for name in source.network.keys if name not in source.shared)


def _bytes(source: Source, name: str) -> int:
    return prod(source.network.shape(source.weights, name)) * source.kept(name).itemsize


@dataclass(frozen=True, slots=True)
class Sizes:
    """The bytes of a network's weights: of all of them, and of the blocks that can come and go."""

    whole: int
    blocks: Mapping[str, int]

    @property
    def fixed(self) -> int:
        return self.whole - sum(self.blocks.values())

    @property
    def least(self) -> int:
        """What the network takes when all its blocks come and go."""
        return self.fixed + 2 * max(self.blocks.values())


def sizes(source: Source) -> Sizes:
    """Return the sizes of a network. It is built for that, without memory."""
    whole, module = needed_bytes(source), empty(source)
    return Sizes(whole, dict(blocks(module, whole // FINENESS, lambda name: _bytes(source, name))))


def placed(
    residents: Residents,
    recipe: Hashable,
    found: Callable[[], Sizes],
    whole: int,
    source: Callable[[], Source],
    make: Callable[[nn.Module, Stream | None], Placed],
    working: int = 0,
    streamed: bool = False,
) -> Placed:
    """Return a network whole where its ``whole`` bytes fit beside ``working`` bytes, else with what blocks fit.

    When it shall be ``streamed``, or the device runs out of memory with all of it, some blocks come and go in any case:
    all of them where all would fit.
    """
    room = residents.room(recipe) - working
    passing: Mapping[str, int] = {}
    if whole > room or streamed:
        parts: Sizes = found()
        whole = parts.whole
        kept = staying([*parts.blocks.values()], room - parts.fixed)
        passing = dict([*parts.blocks.items()][0 if kept == len(parts.blocks) else kept :])
    there = residents.peek(recipe)
    if there and passing != (there.stream.sizes if there.stream else {}):
        residents.leave(recipe)
    window = 2 * max(passing.values(), default=0)

    def build() -> Placed:
        given = source()
        if not passing:
            return make(filled(given), None)
        if given.patches:  # what is shared would be held for as long as the stream is
            given = replace(given, shared={})
        module = filled(given, later=passing)
        shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
        bring = Stream(module, passing, lambda name: given.tensor(name, shapes[name]), residents.device)
        return make(module, bring)

    stay = whole - sum(passing.values()) + window
    try:
        return residents.get(recipe, stay, build, lambda made: Parts([made.module], window))
    except Exception as error:
        if passing or not ran_out(error):
            raise
    return placed(residents, recipe, found, whole, source, make, working, streamed=True)
