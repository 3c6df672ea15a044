"""A GPU that is not there.

Its tensors say that they are on ``cuda:0`` and are computed on the CPU, so that a run over it has real numbers. It
refuses what a GPU refuses, tensors of two devices in one operation, and notes what makes the host wait for it.
"""

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

DEVICE = torch.device("cuda:0")

COPYING = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._unsafe_index.Tensor}
ASKING = {
    aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default,
    aten.is_nonzero.default, aten._unique2.default, aten.repeat_interleave.Tensor, aten.bincount.default,
    aten._linalg_svd.default, aten._linalg_eigh.default, aten._linalg_solve_ex.default,
}  # fmt: skip
"""What gives the host a number, has a size that depends on numbers, or lets the host look whether it failed."""


class DeviceMismatchError(RuntimeError):
    """Tensors of two devices met."""


class OnCard(Tensor):
    """A tensor on the GPU. ``inner`` has its numbers, on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnCard":
        like = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        made: OnCard = Tensor._make_wrapper_subclass(cls, inner.shape, device=DEVICE, **like)
        made.inner = inner
        return made

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.inner.untyped_storage()

    def record_stream(self, stream: "Stream") -> None:
        assert isinstance(stream, Stream)

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], meta: None, size: Any, stride: Any) -> "OnCard":
        return OnCard(inner["inner"])

    def __repr__(self) -> str:
        return f"OnCard({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return called(func, args, kwargs or {})


class Waits(list[str]):
    """What made the host wait, and where, while they are ``noted``. A thread that loads may wait."""

    noted = False
    threads = threading.local()

    def note(self, func: Any, why: str) -> None:
        if self.noted and not getattr(self.threads, "loads", False):
            frames = [f"{f.filename}:{f.lineno}" for f in traceback.extract_stack() if "/tests/" not in f.filename]
            ours = [frame for frame in frames if "/nodes/" in frame]
            self.append(f"{func}, {why}, at {ours[-1] if ours else '?'}")


WAITS = Waits()


def called(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return what an operation gives, on the GPU where it has an operand there or is told to make something there."""
    tensors = [*leaves(args), *leaves(kwargs.values())]
    here = [each for each in tensors if isinstance(each, OnCard)]
    goes = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
    if func is aten.is_pinned.default:
        return hasattr(args[0], "is_in_pinned_memory")
    if func is aten._pin_memory.default:
        pinned = args[0].clone()
        pinned.is_in_pinned_memory = True
        return pinned
    if not here and (goes is None or goes.type != "cuda"):
        return func(*args, **kwargs)
    check(func, args, kwargs, tensors, goes)
    real, named = (changed(each, OnCard, lambda tensor: tensor.inner) for each in (args, kwargs))
    if goes is not None:
        named["device"] = "cpu" if goes.type == "cuda" else goes
    result = func(*real, **named)
    wrappers = {id(each.inner): each for each in here}
    if goes is not None and goes.type != "cuda":
        return result.clone() if id(result) in wrappers else result
    if func is aten.copy_.default:
        return args[0]
    return changed(result, Tensor, lambda one: wrappers[id(one)] if id(one) in wrappers else OnCard(one))


def leaves(arguments: Any) -> list[Tensor]:
    """Return the tensors among the arguments of an operation, and in lists of them."""
    found: list[Tensor] = []
    for each in arguments:
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, list | tuple):
            found += [one for one in each if isinstance(one, Tensor)]
    return found


def changed(value: Any, kind: type[Tensor], change: Callable[[Any], Any]) -> Any:
    """Return arguments or results of an operation with another tensor for each of a kind."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {name: changed(each, kind, change) for name, each in value.items()}
    return type(value)(changed(each, kind, change) for each in value) if type(value) in (list, tuple) else value


def check(func: Any, args: Any, kwargs: Any, tensors: list[Tensor], goes: torch.device | None) -> None:
    """Refuse a mix of devices, and note what waits.

    Numbers on the CPU, tensors without dimensions, are arguments of elementwise operations.
    """
    away = [each for each in tensors if not isinstance(each, OnCard)]
    if func in COPYING:
        source = args[1] if func is aten.copy_.default else args[0]
        crosses = bool(away) or (goes is not None and goes.type != "cuda")
        if crosses and not (kwargs.get("non_blocking") and hasattr(source, "is_in_pinned_memory")):
            WAITS.note(func, "to the host" if isinstance(source, OnCard) else "to the card")
        return
    if func in ASKING and tensors and isinstance(tensors[0], OnCard):
        WAITS.note(func, "asks the card")
    if func in INDEXING:
        indices = [each for each in args[1] if each is not None]
        if not isinstance(args[0], OnCard):
            raise DeviceMismatchError(f"{func}: an index on the card, of a tensor on the host")
        if any(not isinstance(each, OnCard) for each in indices):
            WAITS.note(func, "an index from the host")
        if any(isinstance(each, OnCard) and each.dtype is torch.bool for each in indices):
            WAITS.note(func, "a mask as an index")
        away = [each for each in away if not any(each is index for index in indices)]
    takes_numbers = torch.Tag.pointwise in func.tags or func is aten.fill_.Tensor
    if away and not (takes_numbers and all(each.ndim == 0 for each in away)):
        raise DeviceMismatchError(f"{func}: {', '.join(f'{tuple(each.shape)} on {each.device}' for each in tensors)}")


class Card(TorchDispatchMode):
    """Has tensors that are made on ``cuda`` made on the GPU that is not there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return called(func, args, kwargs or {})


class Attention(TorchFunctionMode):
    """Computes attention as one operation: torch would ask the driver which kernel is best."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        tensors = leaves([*args, *(kwargs or {}).values()])
        if not any(isinstance(each, OnCard) for each in tensors):
            return func(*args, **(kwargs or {}))
        if not all(isinstance(each, OnCard) for each in tensors):
            raise DeviceMismatchError(f"attention over {[each.device for each in tensors]}")
        real, named = (changed(each, OnCard, lambda tensor: tensor.inner) for each in (args, kwargs or {}))
        return OnCard(func(*real, **named))


class Drawn(torch.Generator):
    """A generator of numbers on any device: the GPU's draws what the CPU's does."""

    def __new__(cls, device: Any = "cpu") -> "Drawn":
        return super().__new__(cls, "cpu")


class Event:
    """The end of what was queued so far. It is ``done`` when somebody waited for it."""

    made: int = 0
    done: int = 0

    def synchronize(self) -> None:
        Event.done += 1


class Stream:
    """A queue of work of the GPU, which is done at once."""

    def __init__(self, device: Any = None) -> None:
        torch.cuda._utils._get_device_index(device, optional=True)

    def wait_stream(self, other: "Stream") -> None:
        assert isinstance(other, Stream)

    def record_event(self) -> Event:
        Event.made += 1
        return Event()


@contextmanager
def streaming(stream: Stream) -> Iterator[None]:
    """Stands for ``torch.cuda.stream``. A thread that has a stream of its own loads."""
    WAITS.threads.loads = True
    try:
        with Attention(), Card():
            yield
    finally:
        WAITS.threads.loads = False


@contextmanager
def card(monkeypatch: pytest.MonkeyPatch, memory: int = 8 << 30, free: int | None = None) -> Iterator[Waits]:
    """Have a GPU of the Ampere generation with so much memory, of which others leave a part ``free``."""
    properties = SimpleNamespace(total_memory=memory, major=8, minor=6, name="A card")
    for place, name, value in (
        (torch.cuda, "_lazy_init", lambda: None),
        (torch.cuda.memory, "_lazy_init", lambda: None),
        (torch.cuda, "is_available", lambda: True),
        (torch.cuda, "device_count", lambda: 1),
        (torch.cuda, "current_device", lambda: 0),
        (torch.cuda, "_get_device_properties", lambda index: properties),
        (torch.cuda, "mem_get_info", lambda device: (memory if free is None else free, memory)),
        (torch._C, "_cuda_setMemoryFraction", lambda fraction, index: LIMITS.append((fraction, index))),
        (torch.cuda, "Stream", Stream),
        (torch.cuda, "stream", streaming),
        (torch.cuda, "current_stream", Stream),
        (torch, "Generator", Drawn),
    ):
        monkeypatch.setattr(place, name, value, raising=False)
    torch._C._ensureCUDADeviceGuardSet()
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    WAITS.clear()
    LIMITS.clear()
    try:
        with Attention(), Card():
            yield WAITS
    finally:
        torch._C._set_only_lift_cpu_tensors(before)
        WAITS.noted = False


LIMITS: list[tuple[float, int]] = []
"""What torch's allocator was told: parts of the memory of a device, by its number."""
