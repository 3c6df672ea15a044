"""What is in memory: built once, kept while there is room, put aside on the host, and made again when it is needed."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.errors import OutOfMemory
from engine.failures import ran_out
from nodes.models.memory import Resident, held, victims

Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a built thing holds: its modules, and the bytes that blocks of it take while they come and go."""

    modules: Sequence[nn.Module]
    passing_bytes: int = 0


@dataclass(slots=True)
class _Place:
    """Where one recipe's modules are kept. The lock is held while they are built."""

    building: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    modules: Sequence[nn.Module] = ()
    storages: Mapping[int, int] = field(default_factory=dict)
    last_use: int = 0


class Residents:
    """Keeps what was used last, up to a budget of bytes on a device, and on the host what had to leave it.

    ``host_bytes`` is 0 where the device is the host: what leaves is made again from its file, which is mapped.
    Safe to use from several threads: a recipe is built once, different ones side by side.
    """

    def __init__(self, device: torch.device, budget_bytes: int, host_bytes: int = 0) -> None:
        self.device = device
        self._budget_bytes = budget_bytes
        self.host_bytes = host_bytes
        self._places: dict[Hashable, _Place] = {}
        self._aside: dict[Hashable, tuple[Resident, list[dict[str, Tensor]]]] = {}
        self._pins: Counter[Hashable] = Counter()
        self._scopes = threading.local()
        self._lock = threading.RLock()
        self._uses = count(1)

    def get(self, recipe: Hashable, needed: int, build: Callable[[], Built], parts: Callable[[Built], Parts]) -> Built:
        """Return what was built from a recipe, or build it where it is not there; ``needed`` bytes are made free first.

        When the device runs out nonetheless, everything that is not in use leaves it and it is built once more.
        """
        with self._lock:
            place = self._places.setdefault(recipe, _Place())
            place.last_use = next(self._uses)
            if scopes := self._open_scopes():
                scopes[-1].append(recipe)
                self._pins[recipe] += 1
        with place.building:
            if place.value is None:
                self.make_room(needed)
                place.value = self._built(recipe, build)
                found = parts(place.value)
                passing = {-id(place): found.passing_bytes} if found.passing_bytes else {}
                place.storages = _storages(found.modules) | passing
                place.modules = found.modules
            built: Built = place.value
            return built

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that this thread gets inside until the end: it is in use."""
        scope: list[Hashable] = []
        self._open_scopes().append(scope)
        try:
            yield
        finally:
            self._open_scopes().pop()
            with self._lock:
                self._pins.subtract(scope)
                self._pins = +self._pins

    def peek(self, recipe: Hashable) -> Any:
        """Return what is in memory of a recipe, or None. It does not count as a use."""
        with self._lock:
            place = self._places.get(recipe)
            return place.value if place else None

    def aside(self, recipe: Hashable) -> Sequence[Mapping[str, Tensor]]:
        """Return the tensors of a recipe's modules that were put aside on the host, if they were."""
        with self._lock:
            found = self._aside.get(recipe)
            return found[1] if found else ()

    @property
    def budget_bytes(self) -> int:
        """The bytes that may be taken: of a GPU at most nine tenths of what others leave of it at the moment."""
        if self.device.type != "cuda":
            return self._budget_bytes
        free, _ = torch.cuda.mem_get_info(self.device)
        own = torch.cuda.memory_reserved(self.device)
        return min(self._budget_bytes, (free + own) * 9 // 10)

    @property
    def held_bytes(self) -> int:
        """The bytes of all modules that are kept; weights that two of them share count once."""
        with self._lock:
            return held(self._residents())

    @property
    def used_bytes(self) -> int:
        """The bytes of what is in use, and can't leave."""
        with self._lock:
            return held(resident for resident in self._residents() if resident.key in self._pins)

    def room(self, recipe: Hashable) -> int:
        """Return the bytes that everything in use but a recipe's own modules leaves free."""
        with self._lock:
            return self.budget_bytes - held(
                each for each in self._residents() if each.key in self._pins and each.key != recipe
            )

    def leave(self, recipe: Hashable, for_good: bool = False) -> None:
        """Let a recipe's modules leave, also if they are in use: who has them knows better.

        What leaves ``for_good`` is not put aside.
        """
        with self._lock:
            del self._pins[recipe]
            place = self._places.pop(recipe, None)
            if place and not for_good:
                self._put_aside(recipe, place)

    def reserve(self, needed: int, what: str) -> None:
        """See that ``needed`` bytes are free for work.

        Raises:
            OutOfMemory: what is in use leaves less.
        """
        self.make_room(needed)
        free = self.budget_bytes - self.held_bytes
        if needed > free:
            raise OutOfMemory(
                f"{what} needs {gib(needed)}, and {gib(max(0, free))} of {gib(self.budget_bytes)} are free.",
                got=f"{gib(self.used_bytes)} of weights in use",
                expected=f"{gib(needed)} for work beside them",
                hint="Use a smaller size or batch, or a lower precision; or give it more memory (--ram, --vram).",
            )

    def make_room(self, needed: int) -> int:
        """Let the least recently used leave until ``needed`` bytes are free. Return the bytes that left."""
        with self._lock:
            before = held(self._residents())
            for key in victims(self._residents(), needed, self.budget_bytes, self._pins):
                self._put_aside(key, self._places.pop(key))
            left = before - held(self._residents())
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return left

    def free(self) -> int:
        """Let everything leave that is not in use. Return the bytes that left."""
        return self.make_room(self.budget_bytes)

    def drop(self) -> None:
        """Forget every module, also those on the host."""
        with self._lock:
            self._places.clear()
            self._aside.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _open_scopes(self) -> list[list[Hashable]]:
        if not hasattr(self._scopes, "open"):
            self._scopes.open = []
        scopes: list[list[Hashable]] = self._scopes.open
        return scopes

    def _built(self, recipe: Hashable, build: Callable[[], Built]) -> Built:
        try:
            try:
                return build()
            except Exception as error:
                if not ran_out(error):
                    raise
            self.free()
            return build()
        except BaseException:
            with self._lock:
                self._places.pop(recipe, None)
            raise

    def _put_aside(self, recipe: Hashable, place: _Place) -> None:
        """Keep the tensors of what leaves the device on the host, if they fit there; the oldest make room for them."""
        if not self.host_bytes or any(
            parameter.is_meta for module in place.modules for parameter in module.parameters()
        ):
            return
        tensors = [{name: tensor.cpu() for name, tensor in module.state_dict().items()} for module in place.modules]
        nbytes = sum(tensor.nbytes for each in tensors for tensor in each.values())
        self._aside.pop(recipe, None)
        for key in victims([each for each, _ in self._aside.values()], nbytes, self.host_bytes):
            del self._aside[key]
        if nbytes <= self.host_bytes:
            self._aside[recipe] = Resident(recipe, {id(tensors): nbytes}, next(self._uses)), tensors

    def _residents(self) -> list[Resident]:
        return [Resident(key, place.storages, place.last_use) for key, place in self._places.items() if place.modules]


def gib(nbytes: int) -> str:
    """Return bytes as a person reads them."""
    return f"{nbytes / 2**30:.1f} GiB" if nbytes >= 2**30 // 10 else f"{nbytes / 2**20:.1f} MiB"


def _storages(modules: Sequence[nn.Module]) -> dict[int, int]:
    """Return the storages of modules by address, with their bytes. What is not there yet has none."""
    parameters = [parameter for module in modules for parameter in module.parameters() if not parameter.is_meta]
    storages = [parameter.untyped_storage() for parameter in parameters]
    return {storage.data_ptr(): storage.nbytes() for storage in storages}
