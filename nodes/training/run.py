"""From a job to a checkpoint: the stages in order, each from where the one before it ended."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from engine.errors import Cancelled, ModelError, SettingError
from nodes.training import state
from nodes.training.dataset import Dataset, open_dataset
from nodes.training.device import Device, Precision, choose
from nodes.training.export import export, preview_matrix
from nodes.training.journal import Journal
from nodes.training.latents import encoder_digest, latents_of
from nodes.training.loop import Options, Stage, Trainer
from nodes.training.parts import Design, Parts, build, load, resized
from nodes.training.stages.autoencoder import AutoencoderStage
from nodes.training.stages.diffusion import DiffusionStage, Recipe
from nodes.training.start import speed_up_norms

StageName = Literal["autoencoder", "decoder", "diffusion"]
STAGES: tuple[StageName, ...] = ("autoencoder", "decoder", "diffusion")
TRAINS: Mapping[StageName, tuple[str, ...]] = {
    "autoencoder": ("vae",), "decoder": ("vae",), "diffusion": ("unet", "text"),
}  # fmt: skip
"""The parts of a checkpoint that a stage trains."""

SHARES: Mapping[StageName, float] = {"autoencoder": 0.2, "decoder": 0.15, "diffusion": 0.65}
"""How the stages of one job share its minutes."""

RATES: Mapping[StageName, float] = {"autoencoder": 1.2e-3, "decoder": 8e-4, "diffusion": 1e-3}
TUNING_RATE = 1e-5
"""For networks that know something already."""

BATCHES: Mapping[tuple[StageName, str], int] = {
    ("autoencoder", "cpu"): 4, ("decoder", "cpu"): 4, ("diffusion", "cpu"): 32,
    ("autoencoder", "cuda"): 64, ("decoder", "cuda"): 64, ("diffusion", "cuda"): 1024,
}  # fmt: skip
TUNING_BATCH = 4
FITTED = 256
"""How many views the preview colours are fitted to."""

MODEL = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, on what, how long. ``None`` leaves a choice to the stage.

    ``start`` is a checkpoint to go on from; without it the networks of ``design`` are trained from nothing. A stage
    ends after ``steps``, or when its share of ``minutes`` is used up.
    """

    data: Path
    to: Path
    stages: tuple[StageName, ...] = STAGES
    start: Path | None = None
    design: Design = field(default_factory=Design)
    steps: int | None = None
    minutes: float | None = None
    batch: int | None = None
    rate: float | None = None
    size: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool = False
    text: bool | None = None
    sample_every: int = 500
    prompts: tuple[str, ...] = ()
    title: str = "loomis"


def train(job: Job, cancel: threading.Event, console: Console) -> Path | None:
    """Run a job and return the checkpoint that it wrote, None where it did not come to a diffusion model.

    When ``cancel`` is set it ends after the step at hand; the state is written, and the same job goes on from there.

    Raises:
        Cancelled: ``cancel`` was set before the first step, while pictures became latents.
        SettingError: neither steps nor minutes, or a device that is not there.
        FileError: the dataset or the checkpoint can't be read.
        ModelError: the networks don't fit the job, or the loss is no longer a number.
    """
    if not job.steps and not job.minutes:
        raise SettingError("Nothing says how long to train.", hint="Give --steps or --minutes.")
    device = choose(job.device, job.precision)
    parts = load(job.start) if job.start else build(job.design, job.seed)
    parts.design = resized(parts.design, job.size)
    dataset = open_dataset(job.data, parts.design.size)
    console.print(f"{len(dataset.captions)} pictures, {len(dataset.views)} views, {device.torch.type} {device.dtype}")
    parts.to(device.torch)
    if device.torch.type == "cpu":
        for module in (parts.unet, parts.vae):
            speed_up_norms(module)
    else:
        torch.set_float32_matmul_precision("high")
        dataset = replace(dataset, pixels=dataset.pixels.to(device.torch))
    return _Run(job, parts, dataset, device, cancel, console).run()


@dataclass(slots=True)
class _Run:
    """A job at work."""

    job: Job
    parts: Parts
    dataset: Dataset
    device: Device
    cancel: threading.Event
    console: Console

    def run(self) -> Path | None:
        for name in self.job.stages:
            if not self.cancel.is_set():
                self._trained(name)
        if not state.exists(self.job.to / "diffusion"):
            return None
        self._restore(STAGES)
        return self._exported()

    def _trained(self, name: StageName) -> None:
        self._restore(STAGES[: STAGES.index(name)])
        options = self._options(name)
        stage = self._stage(name, options.batch)
        journal = Journal(self.job.to / name, name, self.console)
        Trainer(stage, options, self.job.to / name, journal, self.cancel).run()

    def _restore(self, stages: tuple[StageName, ...]) -> None:
        """Give the parts what earlier stages ended with."""
        for name in stages:
            folder = self.job.to / name
            if state.exists(folder):
                state.load_averages(folder, {part: getattr(self.parts, part) for part in TRAINS[name]})

    def _stage(self, name: StageName, batch: int) -> Stage:
        if name == "diffusion":
            return self._diffusion(batch)
        self._need_vae(name == "autoencoder")
        return AutoencoderStage(
            self.parts.vae, self.dataset, self.device, self.job.seed, batch, decoder_only=name == "decoder"
        )

    def _diffusion(self, batch: int) -> Stage:
        self._need_vae(False)
        latents = self._latents()
        text = self.job.start is None if self.job.text is None else self.job.text
        compiled: Callable[..., Any] | None = torch.compile(self.parts.unet) if self.job.compile else None
        facts = {"encoder": encoder_digest(self.parts.vae), "prediction": self.parts.design.prediction}
        return DiffusionStage(
            self.parts, self.dataset, latents, self.device, self.job.seed, batch, facts,
            Recipe(text=text), self.job.prompts, compiled,
        )  # fmt: skip

    def _latents(self) -> Tensor:
        """Return the scaled latents of the dataset; a new autoencoder gets its scale from them."""
        self.parts.vae.eval().requires_grad_(False)
        latents = latents_of(self.parts.vae, self.dataset, self.device, self.job.to / "diffusion", self._through)
        if self.parts.design.scale is None:
            self.parts.design = replace(self.parts.design, scale=1 / latents.std().item())
        return latents * (self.parts.design.scale or 1.0)

    def _through(self, starts: range) -> Iterator[int]:
        hidden = not self.console.is_terminal
        for start in track(starts, "pictures to latents", console=self.console, transient=True, disable=hidden):
            if self.cancel.is_set():
                raise Cancelled("Stopped while pictures became latents.")
            yield start

    def _need_vae(self, is_first: bool) -> None:
        known = self.job.start or state.exists(self.job.to / "autoencoder")
        if not known and not is_first:
            raise ModelError(
                "There is no autoencoder to go on from.",
                got=str(self.job.to),
                expected="the folder of a job that trained one, or a checkpoint",
                hint="Train with --stage autoencoder first, or give --from.",
            )

    def _options(self, name: StageName) -> Options:
        job = self.job
        total = sum(SHARES[stage] for stage in job.stages)
        kind = "cuda" if self.device.torch.type == "cuda" else "cpu"
        return Options(
            rate=job.rate or (TUNING_RATE if job.start else RATES[name]),
            batch=job.batch or (TUNING_BATCH if job.start else BATCHES[name, kind]),
            steps=job.steps,
            seconds=job.minutes * 60 * SHARES[name] / total if job.minutes else None,
            sample_every=job.sample_every,
        )

    def _exported(self) -> Path:
        latents = self._latents()
        some = torch.linspace(0, len(latents) - 1, min(FITTED, len(latents))).long().tolist()
        preview = preview_matrix(latents[some], self.dataset.pictures(some))
        path = self.job.to / MODEL
        export(path, self.parts, preview, self.job.title)
        self.console.print(f"{path}, {path.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
        return path
