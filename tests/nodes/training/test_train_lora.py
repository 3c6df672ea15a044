"""Training beside the pool: what it leaves alone, and what it leaves behind."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.context import Context
from engine.errors import Cancelled, ModelError
from nodes.models.service import pool
from nodes.models.weights import TRAINED, in_memory
from nodes.recipes import Cond, Conditioning, FileRef, Latent, Model
from nodes.training import train_lora
from nodes.training.train_lora import Kind, steps_of, train
from nodes.training.tuning import Settings
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux

MODEL = Model(FileRef("checkpoints", "tiny"))
LATENT = Latent(torch.ones(2, 4, 8, 8))
TEXT = Conditioning((Cond(torch.ones(1, 77, 32)),))
SETTINGS = Settings(batch=1, accumulation=1, rate=0.01, optimizer="AdamW", loss="MSE", seed=1)


def trained(ctx: Context, steps: int = 2, **changes: Any) -> Any:
    given = {"dtype": "fp32", "checkpointing": False, **changes}
    return train(ctx, MODEL, LATENT, TEXT, Kind("LoRA", 2, "fp32"), SETTINGS, steps=steps, **given)


def test_the_model_in_the_pool_stays_as_it_is(models: Path) -> None:
    ctx = model_context(models, device="cpu")
    unet = ctx.use(pool).unet(MODEL).module
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in unet.state_dict().items()}
    held = ctx.use(pool).residents.held_bytes
    trained(ctx)
    assert ctx.use(pool).unet(MODEL).module is unet and ctx.use(pool).residents.held_bytes == held
    for name, tensor in unet.state_dict().items():
        assert (tensor.data_ptr(), True) == (before[name][0], torch.equal(tensor, before[name][1]))


def test_nothing_is_left_behind_by_one_that_is_cancelled(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = model_context(models, device="cpu")
    made: list[weakref.ref[nn.Module]] = []
    build = train_lora.assemble

    def watched(*args: Any) -> nn.Module:
        module = build(*args)
        made.append(weakref.ref(module))
        return module

    def stop(value: int, maximum: int, preview: object = None, note: str = "") -> None:
        raise Cancelled("enough")

    monkeypatch.setattr(train_lora, "assemble", watched)
    monkeypatch.setattr(ctx, "progress", stop)
    gc.disable()
    try:
        with pytest.raises(Cancelled):
            trained(ctx)
        assert len(made) == 1 and made[0]() is None, "no collection is needed"
    finally:
        gc.enable()


def test_when_memory_runs_out_less_is_kept(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = model_context(models, device="cpu")
    told: list[str] = []
    ctx.warn = told.append
    expected = trained(ctx)[0].tensors
    step, tried = train_lora.Tuning.step, []

    def short(tuning: train_lora.Tuning, number: int) -> float:
        tried.append(number)
        if len(tried) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return step(tuning, number)

    monkeypatch.setattr(train_lora.Tuning, "step", short)
    ctx.use(pool).unet(MODEL)
    found = trained(ctx)[0].tensors
    assert tried == [0, 0, 0, 1] and "left the memory" in told[0] and "computed twice" in told[1]
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_each_latent_has_its_own_picture_beside_it(tmp_path: Path) -> None:
    """An inpainting model sees the picture without what is hidden; one prompt stands for both latents."""
    modules = tiny.modules(unet={**tiny.UNET, "in_channels": 9})
    tiny.write(tmp_path / "checkpoints" / "tiny", tiny.tensors(*modules))
    ctx = model_context(tmp_path, device="cpu")
    pictures = torch.stack([torch.full((4, 8, 8), 1.0), torch.full((4, 8, 8), -1.0)])

    def losses(first: Tensor, second: Tensor) -> list[float]:
        beside = {"concat_latent_image": torch.stack([first, second]), "concat_mask": torch.ones(2, 16, 16)}
        text = Conditioning((Cond(torch.ones(1, 77, 32), options=beside),))
        kind, settings = Kind("LoRA", 2, "fp32"), replace(SETTINGS, batch=2, rate=1e-7)
        found: list[float] = train(
            ctx, MODEL, LATENT, text, kind, settings, steps=1, dtype="fp32", checkpointing=False
        )[1]
        return found

    one, other = pictures
    assert losses(one, other) != losses(one, one) != losses(other, other)


def test_how_long_a_file_was_trained(tmp_path: Path) -> None:
    assert steps_of(in_memory(tmp_path / "a_120_steps_00001_.safetensors", {})) == 120
    assert steps_of(in_memory(tmp_path / "a.safetensors", {})) == steps_of(in_memory(TRAINED, {})) == 0


def test_a_flow_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be larger than the memory, and would be read for nothing."""
    tiny.write(tmp_path / "diffusion_models" / "flux", tiny_flux.transformer(), {})
    made: list[object] = []
    monkeypatch.setattr(train_lora, "assemble", lambda *args: made.append(args))
    given = Model(FileRef("diffusion_models", "flux")), LATENT, TEXT, Kind("LoRA", 2, "fp32"), SETTINGS
    with pytest.raises(ModelError, match="can't be trained"):
        train(model_context(tmp_path, device="cpu"), *given, steps=1, dtype="fp32", checkpointing=False)
    assert not made
