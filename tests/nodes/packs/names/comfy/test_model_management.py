"""``comfy.model_management``: what a node is told of device, dtypes and memory, and how it stops."""

from pathlib import Path

import pytest
import torch

from engine.context import Context
from engine.errors import Cancelled
from engine.folders import Folders
from nodes.models.service import pool
from nodes.packs import current
from nodes.packs.names.comfy import model_management as mm
from nodes.packs.names.progress import interrupted
from nodes.recipes import FileRef, Vae
from tests.nodes.calls import model_context
from tests.nodes.packs.names.conftest import cancelled


def test_the_device_and_dtypes_are_those_of_the_run(tmp_path: Path) -> None:
    with current.running("pack", "Type", model_context(tmp_path, precision="bf16")):
        assert mm.get_torch_device() == mm.vae_device() == torch.device("cpu")
        assert mm.unet_dtype() == mm.vae_dtype() == torch.bfloat16
        assert mm.unet_manual_cast(torch.float16, mm.get_torch_device()) == torch.bfloat16
    with current.running("pack", "Type", model_context(tmp_path)):
        assert mm.unet_dtype(model_params=10) == torch.float32
        assert mm.unet_manual_cast(torch.float32, mm.get_torch_device()) is None
        assert not mm.should_use_fp16() and mm.cpu_mode() and mm.is_device_cpu(mm.intermediate_device())
    assert mm.intermediate_dtype() == torch.float32


def test_tensors_are_cast_and_moved() -> None:
    tensor = torch.ones(2)
    assert mm.cast_to_device(tensor, "cpu", torch.float16).dtype == torch.float16
    assert mm.cast_to(tensor) is tensor and mm.cast_to(tensor, copy=True) is not tensor
    assert mm.dtype_size(torch.float16) == 2 and mm.module_size(torch.nn.Linear(2, 3)) == 36


def test_memory_is_told_in_bytes() -> None:
    free, total = mm.get_free_memory("cpu"), mm.get_total_memory("cpu")
    assert 2**20 < free < total and mm.total_ram == total / 2**20
    assert mm.get_free_memory("cpu", torch_free_too=True)[0] > 2**20


def test_models_leave_when_a_node_asks_for_it(models: Path, ctx: Context) -> None:
    residents = ctx.use(pool).residents
    ctx.use(pool).vae(Vae(FileRef("vae", "alone")))
    assert residents.held_bytes
    with current.running("pack", "Type", ctx):
        mm.load_models_gpu([object()], memory_required=5)
        assert residents.held_bytes and mm.current_loaded_models == []
        mm.unload_all_models()
    assert not residents.held_bytes


def test_out_of_memory_is_told_from_other_errors() -> None:
    mm.raise_non_oom(torch.OutOfMemoryError("full"))
    with pytest.raises(ValueError):
        mm.raise_non_oom(ValueError())


def test_a_cancelled_run_stops_the_node(folders: Folders) -> None:
    with cancelled(folders):
        assert mm.processing_interrupted()
        with pytest.raises(mm.InterruptProcessingException) as caught:
            mm.throw_exception_if_processing_interrupted()
    assert isinstance(caught.value, Cancelled)
    mm.throw_exception_if_processing_interrupted()


def test_a_node_may_ask_that_its_run_ends(running: Context) -> None:
    assert not mm.processing_interrupted()
    mm.interrupt_current_processing()
    assert interrupted(running) and mm.processing_interrupted()
    mm.interrupt_current_processing(False)
    assert not interrupted(running)
    with pytest.raises(mm.InterruptProcessingException, match="cancelled"):
        raise mm.InterruptProcessingException


def test_what_torch_alone_knows_is_a_placeholder() -> None:
    assert mm.LoadedModel.__name__ == "LoadedModel"
