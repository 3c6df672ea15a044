import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import Cancelled, ModelError, SettingError
from nodes.models import families
from nodes.models.weights import open_weights
from nodes.training import state
from nodes.training.parts import build, load
from nodes.training.run import STAGES, Job, train
from tests.nodes.training import tiny


def job_of(folder: Path, **changes: object) -> Job:
    base = Job(
        tiny.write_pictures(folder / "pictures"), folder / "job", design=tiny.DESIGN, steps=2, batch=2, device="cpu",
        precision="fp32", prompts=("a disc",),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = job_of(tmp_path_factory.mktemp("run"), title="discs")
    assert train(job, threading.Event(), tiny.quiet()) == job.to / "model.safetensors"
    return job


def test_a_job_ends_in_a_checkpoint(done: Job) -> None:
    weights = open_weights(done.to / "model.safetensors")
    found = families.detect(weights)
    assert found.prediction == "v"
    assert found.unet and found.vae and found.text
    latents = open_weights(done.to / "diffusion" / "latents.safetensors").tensor("latents")
    assert found.latent.scale == pytest.approx(1 / latents.std().item())
    assert weights.metadata["modelspec.title"] == "discs"
    assert weights.metadata["modelspec.resolution"] == "16x16"


def test_the_checkpoint_holds_the_averages(done: Job) -> None:
    parts, exported = build(tiny.DESIGN, 0), load(done.to / "model.safetensors")
    state.load_averages(done.to / "diffusion", {"unet": parts.unet, "text": parts.text})
    state.load_averages(done.to / "decoder", {"vae": parts.vae})
    for name in ("unet", "vae", "text"):
        wanted, found = getattr(parts, name).state_dict(), getattr(exported, name).state_dict()
        assert all(torch.equal(found[key], wanted[key].half().float()) for key in wanted)


def test_a_decoder_keeps_the_encoder(done: Job) -> None:
    first, second = build(tiny.DESIGN, 0).vae, build(tiny.DESIGN, 1).vae
    state.load_averages(done.to / "autoencoder", {"vae": first})
    state.load_averages(done.to / "decoder", {"vae": second})
    for name, tensor in first.state_dict().items():
        is_kept = name.startswith(("encoder", "quant_conv")) or name.endswith("to_k.bias")
        assert torch.equal(second.state_dict()[name], tensor) == is_kept, name


def test_the_same_job_again_has_nothing_to_do(done: Job) -> None:
    console = tiny.quiet()
    before = {path: path.read_bytes() for path in done.to.rglob("state.safetensors")}
    train(done, threading.Event(), console)
    assert {path: path.read_bytes() for path in done.to.rglob("state.safetensors")} == before
    assert console.file.getvalue().count("done before, 2 steps") == 3


def test_fine_tuning_starts_from_a_checkpoint(done: Job, tmp_path: Path) -> None:
    start = done.to / "model.safetensors"
    job = job_of(tmp_path, start=start, stages=("diffusion",), rate=1e-4)
    path = train(job, threading.Event(), tiny.quiet())
    assert path is not None
    before, after = load(start), load(path)
    assert after.design == before.design
    assert all(torch.equal(after.vae.state_dict()[n], t) for n, t in before.vae.state_dict().items())
    assert all(torch.equal(after.text.state_dict()[n], t) for n, t in before.text.state_dict().items())
    assert not torch.equal(after.unet.conv_in.weight, before.unet.conv_in.weight)


def test_an_autoencoder_alone_is_no_checkpoint(tmp_path: Path) -> None:
    assert train(job_of(tmp_path, stages=("autoencoder",)), threading.Event(), tiny.quiet()) is None
    assert state.exists(tmp_path / "job" / "autoencoder")


def test_stopped_while_pictures_become_latents(done: Job, tmp_path: Path) -> None:
    class SecondTime(threading.Event):
        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 1

    job = job_of(tmp_path, start=done.to / "model.safetensors", stages=("diffusion",))
    with pytest.raises(Cancelled):
        train(job, SecondTime(), tiny.quiet())
    assert not [*(tmp_path / "job").rglob("*.safetensors")]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="how long"):
        train(job_of(tmp_path, steps=None), threading.Event(), tiny.quiet())
    with pytest.raises(ModelError, match="no autoencoder"):
        train(job_of(tmp_path, stages=("diffusion",)), threading.Event(), tiny.quiet())
    assert STAGES == ("autoencoder", "decoder", "diffusion")
