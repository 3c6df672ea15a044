"""The one training loop. A stage says what is trained and what its loss is; the loop does the rest."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from engine.errors import ModelError
from nodes.training import state
from nodes.training.journal import Journal
from nodes.training.state import Progress

Course = Callable[[float], float]
"""The learning rate's factor when that part (0 to 1) of the training is done."""


SAMPLE_STEP = 2**32 - 1
"""A step that is never trained: its examples are those that samples are made of."""


class Stage(Protocol):
    """What is trained.

    ``modules`` are the networks by name; those of their parameters that ask for a gradient are trained. ``facts`` is
    what an earlier run of the stage must have had in common with this one.
    """

    name: str
    modules: Mapping[str, nn.Module]
    facts: Mapping[str, Any]
    betas: tuple[float, float]
    decay: float
    warmup: int
    course: Course

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of a step and other numbers to report. Depends on the weights and the step alone."""
        ...

    def samples(self, averages: Mapping[str, nn.Module]) -> tuple[Tensor, Mapping[str, float], Mapping[str, str]]:
        """Return a picture uint8 (height, width, 3) of what averaged weights can do, numbers to report, and notes."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how fast. A stage ends at ``steps`` or after ``seconds`` over all its runs, whichever is first."""

    rate: float
    batch: int
    steps: int | None = None
    seconds: float | None = None
    clip: float = 1.0
    average: float = 0.995
    report_every: int = 10
    sample_every: int = 500
    save_seconds: float = 240.0


def cosine(done: float) -> float:
    """Fall from 1 to 0.02 along a cosine."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def late_linear(done: float) -> float:
    """Stay at 1, then fall to 0.03 over the last 30 %."""
    return 0.03 + 0.97 * min(1.0, (1 - done) / 0.3)


@dataclass(slots=True)
class _Sums:
    """Numbers of the steps since the last report. They stay on the device, so that no step waits for it."""

    steps: int = 0
    values: dict[str, Tensor] = field(default_factory=dict)

    def add(self, values: Mapping[str, Tensor]) -> None:
        self.steps += 1
        for name, value in values.items():
            value = value.detach().float()
            self.values[name] = self.values[name] + value if name in self.values else value

    def taken(self) -> dict[str, float]:
        """Return the means and forget them."""
        means = {name: value.item() / self.steps for name, value in self.values.items()}
        self.steps, self.values = 0, {}
        return means


class Trainer:
    """Trains a stage in a folder: goes on from the state there, and leaves its state there however it ends."""

    def __init__(self, stage: Stage, options: Options, folder: Path, journal: Journal, cancel: threading.Event) -> None:
        self.stage = stage
        self.options = options
        self.folder = folder
        self.journal = journal
        self.cancel = cancel
        self.parameters = [p for module in stage.modules.values() for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            options.rate,
            betas=stage.betas,
            weight_decay=stage.decay,
            fused=self.parameters[0].device.type == "cuda",
        )
        self.averages = {name: deepcopy(m).eval().requires_grad_(False) for name, m in stage.modules.items()}
        self.progress = self._resumed() if state.exists(folder) else Progress(facts=dict(stage.facts))
        self._sums = _Sums()

    @property
    def done(self) -> float:
        """The part of the training that is done, 1 at the end."""
        by_step = self.progress.step / self.options.steps if self.options.steps else 0.0
        by_time = self.progress.seconds / self.options.seconds if self.options.seconds else 0.0
        return max(by_step, by_time)

    def run(self) -> Progress:
        """Train to the end, or until cancelled. Raises ModelError where the loss is no longer a number."""
        if self.done >= 1:
            self.journal.say(f"done before, {self.progress.step} steps")
            return self.progress
        with self.journal:
            saved, sampled = time.monotonic(), -1
            while self.done < 1 and not self.cancel.is_set():
                self.step()
                if self.progress.step % self.options.sample_every == 0:
                    sampled = self._sample()
                if time.monotonic() - saved > self.options.save_seconds:
                    self.save()
                    saved = time.monotonic()
            self._report()
            self.save()
            if sampled != self.progress.step and not self.cancel.is_set():
                self._sample()
        return self.progress

    def step(self) -> None:
        """Do one step."""
        start = time.monotonic()
        rate = self.options.rate * self.stage.course(min(1.0, self.done))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * min(1.0, (self.progress.step + 1) / self.stage.warmup)
        loss, others = self.stage.loss(self.progress.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, self.options.clip)
        self.optimizer.step()
        self.progress.step += 1
        self.progress.pictures += self.options.batch
        self._average()
        self._sums.add({"loss": loss, **others})
        if self.progress.step % self.options.report_every == 0:
            self._report()
        self.progress.seconds += time.monotonic() - start
        self.journal.move(self.done)

    def save(self) -> None:
        """Write the state."""
        state.save(self.folder, self.stage.modules, self.averages, self.optimizer, self.progress)

    def _average(self) -> None:
        """Let the averages follow, quickly at first: the decay rises towards its limit."""
        n = self.progress.step
        decay = min(self.options.average, (1 + n) / (10 + n))
        follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        for name, module in self.stage.modules.items():
            follow(list(self.averages[name].parameters()), list(module.parameters()), n)

    def _report(self) -> None:
        if not self._sums.steps:
            return
        means = self._sums.taken()
        if not math.isfinite(means["loss"]):
            raise ModelError(
                "The loss is no longer a number.",
                got=means["loss"],
                expected="a finite loss",
                hint="Go on from the last state with a smaller --rate, or with --precision fp32.",
            )
        self.progress.loss = means["loss"]
        rate = self.optimizer.param_groups[0]["lr"]
        self.journal.report(self.progress.step, {**means, "rate": rate, "seconds": self.progress.seconds})

    def _sample(self) -> int:
        pixels, values, notes = self.stage.samples(self.averages)
        path = self.journal.picture(self.progress.step, pixels, notes)
        if values:
            self.journal.report(self.progress.step, values)
        told = "".join(f", {name} {value:.2f}" for name, value in values.items())
        loss = "" if self.progress.loss is None else f", loss {self.progress.loss:.4f}"
        self.journal.say(f"step {self.progress.step}{loss}{told}, {path}")
        return self.progress.step

    def _resumed(self) -> Progress:
        progress = state.load(self.folder, self.stage.modules, self.averages, self.optimizer)
        for name, fact in self.stage.facts.items():
            if progress.facts.get(name) != fact:
                raise ModelError(
                    f"The state in {self.folder} is of a training with another {name}.",
                    got=progress.facts.get(name),
                    expected=fact,
                    hint="Choose another folder with --to, or remove this one.",
                )
        self.journal.say(f"goes on at step {progress.step}")
        return progress
