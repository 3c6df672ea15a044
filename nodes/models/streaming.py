"""Networks that are larger than the memory of their device: blocks come when they are called and leave afterwards."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

Source = Callable[[str], Tensor]
"""Gives a tensor of a module by its name, cast and on the device."""


def blocks(
    module: nn.Module, largest: int, nbytes: Callable[[str], int], prefix: str = ""
) -> Iterator[tuple[str, int]]:
    """Return the submodules that move as one, with the bytes of their weights, which ``nbytes`` has by name.

    They are the widest that hold at most ``largest`` bytes, and below those only layers that hold more by themselves.
    """
    for name, child in module.named_children():
        size = sum(nbytes(f"{prefix}{name}.{leaf}") for leaf, _ in child.named_parameters())
        is_list = isinstance(child, nn.ModuleList | nn.ModuleDict)
        if size and not is_list and (size <= largest or not any(True for _ in child.children())):
            yield prefix + name, size
        elif size:
            yield from blocks(child, largest, nbytes, f"{prefix}{name}.")


class Stream:
    """Brings blocks of a module to the device one at a time, and the next one while a block is at work.

    ``sizes`` are the blocks with their bytes, on the meta device until then. Which one follows which is learned from
    the first pass. ``peak_bytes`` is the most that blocks have taken at once.
    """

    def __init__(self, module: nn.Module, sizes: Mapping[str, int], source: Source, device: torch.device) -> None:
        self.device = device
        self.sizes = sizes
        self.peak_bytes = 0
        self._here: set[str] = set()
        self._source = source
        self._empty: dict[str, Mapping[str, Tensor]] = {}
        self._follows: dict[str, str] = {}
        self._last: str | None = None
        self._coming: tuple[str, Future[dict[str, Tensor]]] | None = None
        self._thread = ThreadPoolExecutor(1, "loomis-stream")
        self._left: Any = None
        self._copies: Any = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        for name in sizes:
            child = module.get_submodule(name)
            self._empty[name] = child.state_dict()
            child.register_forward_pre_hook(partial(self._enter, name))
            child.register_forward_hook(partial(self._leave, name), always_call=True)

    @property
    def resident_bytes(self) -> int:
        """The bytes of the blocks that are on the device, or on their way."""
        return sum(self.sizes[name] for name in self._here)

    def _enter(self, name: str, child: nn.Module, _arguments: Any) -> None:
        tensors = self._arrived(name)
        child.load_state_dict(tensors, assign=True)
        if self._last is not None:
            self._follows[self._last] = name
        self._last = name
        following = self._follows.get(name, name)
        if following != name:
            self._expect(following)
            self._coming = following, self._thread.submit(self._load, following, self._left)

    def _leave(self, name: str, child: nn.Module, _arguments: Any, _output: Any) -> None:
        child.load_state_dict(self._empty[name], assign=True)
        self._here.discard(name)
        if self._copies is not None:
            self._left = torch.cuda.current_stream(self.device).record_event()

    def _expect(self, name: str) -> None:
        self._here.add(name)
        self.peak_bytes = max(self.peak_bytes, self.resident_bytes)

    def _arrived(self, name: str) -> dict[str, Tensor]:
        coming, self._coming = self._coming, None
        if coming and coming[0] == name:
            tensors = coming[1].result()
        else:
            if coming:
                coming[1].exception()
                self._here.discard(coming[0])
                coming = None
            self._expect(name)
            tensors = self._load(name, self._left)
        if self._copies is not None:
            used_on = torch.cuda.current_stream(self.device)
            used_on.wait_stream(self._copies)
            for tensor in tensors.values():
                tensor.record_stream(used_on)
        return tensors

    def _load(self, name: str, left: Any) -> dict[str, Tensor]:
        """Bring a block when what ``left`` stands for is done: until then the memory of the blocks before is in use."""
        if left is not None:
            left.synchronize()
        with torch.no_grad(), torch.cuda.stream(self._copies) if self._copies else nullcontext():
            return {leaf: self._source(f"{name}.{leaf}") for leaf in self._empty[name]}
