"""How far pictures of the faster modes are from those in fp32 on the CPU, and what a step takes."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import nodes
from benchmarks.measure import Sample, summary
from benchmarks.report import Row
from engine import Engine, Folders, Settings
from engine.events import Event, NodeFinished
from nodes import EMBEDDED
from tests.parity.compare import psnr

THEME = "precision"
NOTE = "PSNR of latent and picture against fp32 on the CPU"
RUNS = (("euler", "normal"), ("dpmpp_2m", "karras"))


def measure(options: Namespace) -> Iterator[Row]:
    """Compare the modes on the embedded model, and on the ``checkpoint`` at ``pixels`` squared when one is given."""
    embedded = next((EMBEDDED / "checkpoints").iterdir())
    steps = 2 if options.quick else 12
    yield from _modes(embedded, options, pixels=128, steps=steps)
    if options.checkpoint is not None:
        yield from _modes(options.checkpoint, options, pixels=options.pixels, steps=4)


def _modes(path: Path, options: Namespace, *, pixels: int, steps: int) -> Iterator[Row]:
    modes, device = {"fp32": Settings(precision="fp32")}, options.device
    for each in ("bf16",) if device == "cpu" else ("fp32", "bf16", "fp16"):
        modes[each if device == "cpu" else f"{device} {each}"] = Settings(device=device, precision=each)
    if not options.quick:
        modes["compiled"] = Settings(device=options.device, compile=True)
    for solver, scheduler in RUNS:
        rival: tuple[torch.Tensor, torch.Tensor, float] | None = None
        for name, settings in modes.items():
            latent, picture, seconds = _made(path, settings, pixels, steps, solver, scheduler)
            rival = rival or (latent, picture, seconds)
            title = f"{solver} {scheduler}: {name}"
            if name != "fp32":
                title += f", {psnr(rival[0], latent):.0f} and {psnr(rival[1], picture):.0f} dB"
            timing, ratios = summary([Sample(seconds, seconds)]), {"fp32": seconds / rival[2]}
            yield Row(THEME, title, timing, path.name, pixels, steps, ratios=ratios, note=NOTE)


def _made(path: Path, settings: Settings, pixels: int, steps: int, solver: str, scheduler: str) -> Any:
    """Run a workflow twice with nothing remembered; return its latent, its picture and the second run's sampling."""
    sampling = {"steps": steps, "cfg": 5.0, "denoise": 1.0, "sampler_name": solver, "scheduler": scheduler}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    prompt: dict[str, Any] = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": path.name}},
        "2": {
            "class_type": "CLIPTextEncode",
            "inputs": {"clip": ["1", 1], "text": "portrait of a woman with red hair"},
        },
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "hat"}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": pixels, "height": pixels, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {"seed": 1, **sampling, **links}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    }
    seconds: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.node == "5":
            seconds.append(event.seconds)

    with Engine(
        nodes.vocabulary(), folders=Folders(extra={"checkpoints": (path.parent,)}), settings=settings
    ) as engine:
        for seed in (2, 1):
            prompt["5"]["inputs"]["seed"] = seed
            result = engine.run(prompt, values=["5", "6"], on_event=listen)
    return result.values["5"][0][0].samples, result.values["6"][0][0], seconds[-1]
