import gc
import weakref

import pytest
import torch

from engine.errors import InputError, OutOfMemory
from nodes.models.ladder import Ladder


def rungs(*names: str):
    yield from names


CPU = "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("x"), MemoryError(), OutOfMemory("It is full."), RuntimeError(CPU)]
)
def test_work_is_tried_again_after_each_rung(error: Exception) -> None:
    told: list[str] = []
    tries = iter([error, error, None])

    def work() -> str:
        if (failure := next(tries)) is not None:
            raise failure
        return "done"

    assert Ladder(rungs("First.", "Second.", "Third."), told.append).climb(work) == "done"
    assert [text.rsplit(". ", 1)[-1] for text in told] == ["First.", "Second."]


def test_without_a_rung_the_error_says_what_to_do() -> None:
    def work() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    with pytest.raises(OutOfMemory) as raised:
        Ladder(rungs("First."), lambda text: None).climb(work)
    assert "20.00 GiB" in str(raised.value.got)
    assert raised.value.hint


def test_other_errors_pass() -> None:
    def work() -> None:
        raise InputError("no")

    with pytest.raises(InputError):
        Ladder(rungs("First."), lambda text: None).climb(work)


def test_what_failed_holds_no_memory_while_the_next_rung_is_climbed() -> None:
    made: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def work() -> None:
        if made:
            return
        large = torch.zeros(1000)
        made.append(weakref.ref(large))
        raise torch.OutOfMemoryError("full")

    def watching():
        alive.append(made[0]() is not None)
        yield "First."

    gc.disable()
    try:
        Ladder(watching(), lambda text: None).climb(work)
    finally:
        gc.enable()
    assert alive == [False]
