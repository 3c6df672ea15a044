import gc
import weakref

import pytest
import torch

from engine.errors import InputError, OutOfMemory
from nodes.models import service
from nodes.models.encode import encode
from nodes.models.ladder import Ladder
from nodes.recipes import Clip, FileRef, Vae
from tests.nodes.calls import model_context


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


def test_a_prompt_is_encoded_when_what_is_not_in_use_has_left(models) -> None:
    ctx, told, tries = model_context(models), [], []
    ctx.warn = told.append
    clip = Clip(FileRef("checkpoints", "tiny"))
    expected = encode(ctx, "a cat", clip).context
    pool = ctx.use(service.pool)
    pool.vae(Vae(clip.file))

    def runs_out_once(module: torch.nn.Module, given: object) -> None:
        tries.append(pool.residents.held_bytes)
        if len(tries) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    pool.text(clip).models[0].module.register_forward_pre_hook(runs_out_once)
    assert torch.equal(encode(ctx, "a cat", clip).context, expected)
    assert tries[1] < tries[0]
    assert "left the memory" in told[0]
