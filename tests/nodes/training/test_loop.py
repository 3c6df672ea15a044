import json
import math
import threading
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.training import state
from nodes.training.journal import Journal
from nodes.training.loop import Options, Stage, Trainer, cosine, late_linear
from nodes.training.parts import build
from nodes.training.stages.autoencoder import AutoencoderStage
from nodes.training.stages.diffusion import DiffusionStage
from tests.nodes.training import tiny

KINDS = ("autoencoder", "decoder", "diffusion")


def stage_of(kind: str, folder: Path) -> Stage:
    dataset = tiny.dataset(folder / "pictures")
    parts = build(tiny.DESIGN, 0)
    if kind != "diffusion":
        return AutoencoderStage(parts.vae, dataset, tiny.DEVICE, 5, 2, decoder_only=kind == "decoder")
    latents = torch.randn(len(dataset.views), 4, 8, 8, generator=torch.Generator().manual_seed(0))
    parts.vae.requires_grad_(False)
    return DiffusionStage(parts, dataset, latents, tiny.DEVICE, 5, 2, {"encoder": "x"})


def trainer_of(kind: str, folder: Path, steps: int = 6, sample_every: int = 100, rate: float = 1e-3) -> Trainer:
    stage = stage_of(kind, folder)
    journal = Journal(folder / "job", kind, tiny.quiet())
    options = Options(rate=rate, batch=2, steps=steps, report_every=2, sample_every=sample_every)
    return Trainer(stage, options, folder / "job", journal, threading.Event())


def weights_of(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{kind}.{name}": t.detach().clone() for kind, m in modules.items() for name, t in m.state_dict().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_three_steps_move_what_is_trained_and_nothing_else(kind: str, tmp_path: Path) -> None:
    trainer = trainer_of(kind, tmp_path)
    before = weights_of(trainer.stage.modules)
    for _ in range(3):
        trainer.step()
        trainer._report()
        assert trainer.progress.loss is not None
        assert math.isfinite(trainer.progress.loss)
    after = weights_of(trainer.stage.modules)
    trained = {f"{k}.{n}" for k, m in trainer.stage.modules.items() for n, p in m.named_parameters() if p.requires_grad}
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved <= trained
    assert {name for name in trained - moved if not name.endswith(("to_k.bias", "k_proj.bias"))} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_training_goes_on_bit_for_bit(kind: str, tmp_path: Path) -> None:
    whole = trainer_of(kind, tmp_path / "whole")
    for _ in range(5):
        whole.step()
    first = trainer_of(kind, tmp_path / "parts")
    for _ in range(2):
        first.step()
    first.save()
    second = trainer_of(kind, tmp_path / "parts")
    assert second.progress.step == 2
    for _ in range(3):
        second.step()
    for name, tensor in weights_of(whole.stage.modules).items():
        assert torch.equal(weights_of(second.stage.modules)[name], tensor), name
    for name, tensor in weights_of(whole.averages).items():
        assert torch.equal(weights_of(second.averages)[name], tensor), name


def test_averages_follow(tmp_path: Path) -> None:
    trainer = trainer_of("autoencoder", tmp_path)
    expected = {name: p.detach().clone() for name, p in trainer.stage.modules["vae"].named_parameters()}
    for n in range(1, 4):
        trainer.step()
        decay = (1 + n) / (10 + n)
        for name, parameter in trainer.stage.modules["vae"].named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach()
    for name, parameter in trainer.averages["vae"].named_parameters():
        assert torch.allclose(parameter, expected[name], atol=1e-6)
        assert not parameter.requires_grad


def test_the_loss_falls(tmp_path: Path) -> None:
    trainer = trainer_of("autoencoder", tmp_path, steps=40, rate=5e-3)
    trainer.run()
    log = [json.loads(line) for line in (tmp_path / "job" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert len(losses) == 20
    assert losses[-1] < 0.7 * losses[0]


def test_a_run_leaves_state_log_and_samples(tmp_path: Path) -> None:
    trainer = trainer_of("diffusion", tmp_path, steps=4, sample_every=2)
    progress = trainer.run()
    assert (progress.step, progress.pictures) == (4, 8)
    job = tmp_path / "job"
    assert state.exists(job)
    log = [json.loads(line) for line in (job / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [2, 4]
    assert {*log[0]} == {"step", "loss", "unweighted", "rate", "seconds"}
    assert sorted(path.name for path in (job / "samples").iterdir()) == ["step_000002.png", "step_000004.png"]
    with Image.open(job / "samples" / "step_000004.png") as image:
        assert image.size == (8 * tiny.SIZE, 2 * tiny.SIZE)
        assert len(image.info["prompts"].splitlines()) == 16
    again = trainer_of("diffusion", tmp_path, steps=4)
    again.run()
    assert again.progress.step == 4


def test_cancelled_it_writes_its_state(tmp_path: Path) -> None:
    trainer = trainer_of("autoencoder", tmp_path)
    trainer.step()
    trainer.cancel.set()
    assert trainer.run().step == 1
    assert trainer_of("autoencoder", tmp_path).progress.step == 1
    assert not [*(tmp_path / "job" / "samples").iterdir()]


def test_time_ends_it(tmp_path: Path) -> None:
    trainer = trainer_of("autoencoder", tmp_path)
    trainer.options = Options(rate=1e-3, batch=2, seconds=1e-6)
    assert trainer.run().step == 1


def test_a_loss_that_is_no_number_is_an_error_and_not_saved(tmp_path: Path) -> None:
    trainer = trainer_of("autoencoder", tmp_path)
    with torch.no_grad():
        next(trainer.stage.modules["vae"].parameters()).fill_(torch.nan)
    with pytest.raises(ModelError, match="no longer a number"):
        trainer.run()
    assert not state.exists(tmp_path / "job")


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    trainer = trainer_of("autoencoder", tmp_path)
    trainer.step()
    trainer.save()
    other = deepcopy(trainer.stage)
    other.facts = {"size": 99}
    with pytest.raises(ModelError, match="another size"):
        Trainer(other, trainer.options, tmp_path / "job", trainer.journal, trainer.cancel)
    with pytest.raises(ModelError, match="other networks"):
        trainer_of("diffusion", tmp_path)


def test_courses() -> None:
    assert cosine(0) == pytest.approx(1)
    assert cosine(1) == pytest.approx(0.02)
    assert late_linear(0) == late_linear(0.7) == pytest.approx(1)
    assert late_linear(0.85) == pytest.approx(0.515)
    assert late_linear(1) == pytest.approx(0.03)
