"""Seconds per denoising step of our sampler, against the bare diffusers UNet on the same input; and loading."""

from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch

from benchmarks.measure import Sample, Timing, once, repeated, summary
from benchmarks.report import Row
from engine import Folders, Settings
from engine.context import Context, Environment
from engine.memo import Memo
from engine.store import Store
from nodes import EMBEDDED, recipes
from nodes.loaders import load_checkpoint
from nodes.models.levels import scheduled
from nodes.models.sample import sample
from nodes.models.service import pool
from nodes.models.unet import Unet

THEME, LOADING = "denoising", "loading"
CFG = 5.0


def measure(options: Namespace) -> Iterator[Row]:
    """Measure the embedded model, and the ``checkpoint`` when one is given, that one at ``pixels`` squared."""
    embedded = next((EMBEDDED / "checkpoints").iterdir())
    steps, repeats = (2, 1) if options.quick else (20, 7)
    yield from _model(embedded, options.device, latent_size=16, steps=steps, repeats=repeats)
    if options.checkpoint is not None:
        yield from _model(options.checkpoint, options.device, latent_size=options.pixels // 8, steps=3, repeats=3)


def _model(path: Path, device: str, *, latent_size: int, steps: int, repeats: int) -> Iterator[Row]:
    """Time the loading of a checkpoint, then steps of both kinds by turns on the same network."""
    context, model, loading = _loading(path, device, repeats)
    reading = repeated(lambda: safetensors.torch.load_file(path), repeats)
    yield Row(LOADING, "whole file by safetensors", reading, path.name)
    for name, timing in loading.items():
        yield Row(LOADING, name, timing, path.name, ratios={"whole file": timing.wall / reading.wall})
    network = context.use(pool).unet(model)
    positive, negative = _conditioning(network, 1), _conditioning(network, 2)
    latent = recipes.Latent(torch.zeros(1, network.latent.channels, latent_size, latent_size))

    def ours() -> None:
        sigmas = scheduled(context, model, "normal", steps)
        guider = recipes.classifier_free(model, positive, negative, CFG)
        sample(context, guider, recipes.Sampler("euler"), sigmas, recipes.NoiseSource(1), latent)

    bare = _bare(network, [each.entries[0].context for each in (positive, negative)], latent_size, steps)
    ours()
    bare()
    samples: dict[str, list[Sample]] = {"ours": [], "bare": []}
    for _ in range(repeats):
        samples["bare"].append(once(bare))
        samples["ours"].append(once(ours))
    rival, timing = summary(samples["bare"]), summary(samples["ours"])
    note = f"{str(network.module.dtype).removeprefix('torch.')}, {torch.get_num_threads()} threads, {device}"
    yield Row(THEME, "bare UNet, batch of 2", rival, path.name, latent_size, steps, note=note)
    ratios = {"bare UNet": timing.wall / rival.wall}
    yield Row(THEME, "our sampler: euler, cfg", timing, path.name, latent_size, steps, ratios=ratios, note=note)


def _bare(unet: Unet, contexts: list[torch.Tensor], size: int, steps: int) -> Any:
    """Return a function that calls the diffusers module as often as the sampler does, on a batch of two."""
    dtype = cast(torch.dtype, unet.module.dtype)
    x = torch.randn(2, unet.latent.channels, size, size).to(unet.device, dtype)
    context = torch.cat(contexts).to(unet.device, dtype)
    times = torch.linspace(999, 0, steps).to(unet.device)

    @torch.no_grad()
    def call() -> None:
        for time in times:
            out = unet.module(x, time.expand(2), context, return_dict=False)[0]
        out.cpu()

    return call


def _conditioning(unet: Unet, seed: int) -> recipes.Conditioning:
    width = cast(Any, unet.module).config.cross_attention_dim
    context = torch.randn(1, 77, width, generator=torch.Generator().manual_seed(seed))
    return recipes.Conditioning((recipes.Cond(context),))


def _loading(path: Path, device: str, repeats: int) -> tuple[Context, recipes.Model, dict[str, Timing]]:
    """Time the checkpoint node and the making of the UNet, each with a new pool and an empty store."""
    nodes, unets = [], []
    for _ in range(repeats):
        context = _context(path, device)
        nodes.append(once(partial(load_checkpoint, context, path.name)))
        model = load_checkpoint(context, path.name).MODEL
        unets.append(once(partial(context.use(pool).unet, model)))
    return context, model, {"checkpoint node": summary(nodes), "UNet": summary(unets)}


def _context(path: Path, device: str) -> Context:
    """Return what a node gets, over the folder that holds ``path``."""
    folders = Folders(extra={"checkpoints": (path.parent,)})
    memo = Memo(Store(None, memory_bytes=2**20, disk_bytes=0), folders)
    environment = Environment(Settings(device=device), folders, memo)
    return Context("bench", environment, lambda *_: None, lambda: False, lambda _: None)
