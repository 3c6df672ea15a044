"""Run a golden case and measure how far its latents and pictures are from the reference's."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import nodes
from engine import Engine, Folders, Settings
from engine.api import Result
from tests.parity.cases import MODELS, Case, inputs, make_models

ENOUGH = 90.0
"""Decibels of a latent that count as the same picture."""

GREY_LEVELS = 1
"""How far a value of a picture may be off."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a case came to.

    ``decibels`` is the lowest PSNR of its latents (infinity when equal, NaN when it has none), ``worst`` the largest
    difference of a picture in grey levels, ``share`` the share of values that differ at all.
    """

    case: str
    decibels: float
    worst: int
    share: float
    seconds: float

    @property
    def passes(self) -> bool:
        return not self.decibels < ENOUGH and self.worst <= GREY_LEVELS


@contextmanager
def reference_engine(work: Path) -> Iterator[Engine]:
    """An engine with the reference's conventions: float32 on the CPU, the older rule of ancestral noise."""
    folders = Folders((MODELS,), input=inputs(), output=work / "output", temp=work / "temp")
    settings = Settings(device="cpu", precision="fp32", ancestral_noise="same-seed")
    with Engine(nodes.vocabulary(), folders=folders, settings=settings) as engine:
        yield engine


def measure(engine: Engine, case: Case) -> Row:
    """Run a case. Its models are made first, outside the time."""
    make_models(case)
    result = engine.run(case.workflow)
    latents = _saved(result, "latents")
    pictures = _saved(result, "images")
    assert len(latents) == len(case.latents), f"{case.name}: saved {len(latents)} latents"
    assert len(pictures) == len(case.pictures), f"{case.name}: saved {len(pictures)} pictures"
    pairs = zip(case.latents, latents, strict=True)
    decibels = [psnr(_only(expected), load_file(got)["latent_tensor"]) for expected, got in pairs]
    differences = [_difference(*pair) for pair in zip(case.pictures, pictures, strict=True)]
    every = np.concatenate([difference.ravel() for difference in differences]) if differences else np.zeros(1, int)
    return Row(case.name, min(decibels, default=math.nan), int(every.max()), float((every > 0).mean()), result.seconds)


def psnr(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Return the peak signal-to-noise ratio in decibels; the peak is the span of what is expected."""
    assert expected.shape == got.shape, f"shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    error = (expected.double() - got.double()).square().mean().item()
    peak = (expected.max() - expected.min()).item()
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def _only(path: Path) -> torch.Tensor:
    (tensor,) = load_file(path).values()
    return tensor


def _saved(result: Result, kind: str) -> list[str]:
    shown = [result.outputs[id] for id in sorted(result.outputs, key=lambda id: (len(id), id))]
    return [file["path"] for each in shown for file in each.files if file["kind"] == kind]


def _difference(expected: Path, got: str) -> Any:
    pair = [np.asarray(Image.open(path).convert("RGB"), dtype=int) for path in (expected, got)]
    assert pair[0].shape == pair[1].shape, f"{expected.parent.name}: a picture of {pair[1].shape}"
    return np.abs(pair[0] - pair[1])
