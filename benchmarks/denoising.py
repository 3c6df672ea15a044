"""Seconds per denoising step of our sampler, against the bare diffusers UNet on the same input."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.checkpoints import context, embedded, synthetic
from benchmarks.measure import Sample, once, repeated, summary
from benchmarks.report import Row
from nodes import recipes
from nodes.loaders import load_checkpoint
from nodes.models.levels import scheduled
from nodes.models.sample import sample
from nodes.models.service import pool
from nodes.models.unet import Unet

THEME = "denoising"
CFG = 5.0


def measure(options: Namespace) -> Iterator[Row]:
    """Measure the embedded model, and with ``full`` or ``checkpoint`` another one at ``pixels`` squared."""
    steps, repeats = (2, 1) if options.quick else (20, 7)
    yield from _model(embedded(), options.device, latent_size=16, steps=steps, repeats=repeats)
    full = synthetic("sd15-mini" if options.quick else "sd15", options.scratch) if options.full else None
    for path in filter(None, (full, options.checkpoint)):
        yield from _model(path, options.device, latent_size=options.pixels // 8, steps=3, repeats=min(repeats, 3))


def _model(path: Path, device: str, *, latent_size: int, steps: int, repeats: int) -> Iterator[Row]:
    """Time steps of both kinds by turns on the same network."""
    ctx = context(path, device)
    model = load_checkpoint(ctx, path.name).MODEL
    network = ctx.use(pool).unet(model)
    positive, negative = _conditioning(network, 1), _conditioning(network, 2)
    latent = recipes.Latent(torch.zeros(1, network.latent.channels, latent_size, latent_size))

    def ours() -> None:
        sigmas = scheduled(ctx, model, "normal", steps)
        guider = recipes.classifier_free(model, positive, negative, CFG)
        sample(ctx, guider, recipes.Sampler("euler"), sigmas, recipes.NoiseSource(1), latent)

    bare = _bare(network, [each.entries[0].context for each in (positive, negative)], latent_size, steps)
    ours()
    bare()
    samples: dict[str, list[Sample]] = {"ours": [], "bare": []}
    for _ in range(repeats):
        samples["bare"].append(once(bare))
        samples["ours"].append(once(ours))
    rival, timing = summary(samples["bare"]), summary(samples["ours"])
    share = _flops(bare) / rival.wall / _limit(cast(torch.dtype, network.module.dtype), network.device)
    kind = str(network.module.dtype).removeprefix("torch.")
    note = f"{share:.0%} of matmul, {kind}, {torch.get_num_threads()} threads, {device}"
    yield Row(THEME, "bare UNet, batch of 2", rival, path.name, latent_size, steps, note=note)
    ratios = {"bare UNet": timing.wall / rival.wall}
    yield Row(THEME, "our sampler: euler, cfg", timing, path.name, latent_size, steps, ratios=ratios, note=note)


def _bare(unet: Unet, texts: list[torch.Tensor], size: int, steps: int) -> Any:
    """Return a function that calls the diffusers module as often as the sampler does, on a batch of two."""
    dtype = cast(torch.dtype, unet.module.dtype)
    x = torch.randn(2, unet.latent.channels, size, size).to(unet.device, dtype)
    text = torch.cat(texts).to(unet.device, dtype)
    times = torch.linspace(999, 0, steps).to(unet.device)

    @torch.no_grad()
    def call() -> None:
        for time in times:
            out = unet.module(x, time.expand(2), text, return_dict=False)[0]
        out.cpu()

    return call


def _flops(call: Any) -> int:
    """Return the floating-point operations of a call: those of matrix products, convolutions and attention."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def _limit(dtype: torch.dtype, device: torch.device, side: int = 2048) -> float:
    """Return the operations in a second of large matrix products, which nothing on this machine goes beyond."""
    a, b = torch.randn(2, side, side).to(device, dtype)
    return 2 * side**3 / repeated(lambda: (a @ b)[0, 0].item(), 5).fastest


def _conditioning(unet: Unet, seed: int) -> recipes.Conditioning:
    width = cast(Any, unet.module).config.cross_attention_dim
    text = torch.randn(1, 77, width, generator=torch.Generator().manual_seed(seed))
    return recipes.Conditioning((recipes.Cond(text),))
