"""How long a checkpoint takes: its node, which reads the header, against reading the file; and the making of a UNet."""

from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.checkpoints import context, embedded, synthetic
from benchmarks.measure import Timing, once, repeated, summary
from benchmarks.report import Row
from nodes.loaders import load_checkpoint
from nodes.models.service import pool

THEME = "loading"


def measure(options: Namespace) -> Iterator[Row]:
    """Measure the embedded checkpoint, and one of 2 GB where the reference folder can make it."""
    repeats = 1 if options.quick else 7
    yield from _node(embedded(), options.device, repeats)
    yield Row(THEME, "UNet, ready for use", _unet(embedded(), options.device, repeats), embedded().name)
    large = synthetic("sd15-mini" if options.quick else "sd15", options.scratch)
    if large is not None:
        yield from _node(large, options.device, min(repeats, 3))


def _node(path: Path, device: str, repeats: int) -> Iterator[Row]:
    whole = repeated(path.read_bytes, repeats)
    contexts = [context(path, device) for _ in range(repeats)]
    node = summary([once(partial(load_checkpoint, each, path.name)) for each in contexts])
    yield Row(THEME, f"{path.stat().st_size / 1e6:,.0f} MB, read whole", whole, path.name)
    yield Row(THEME, "checkpoint node", node, path.name, ratios={"whole file": node.wall / whole.wall})


def _unet(path: Path, device: str, repeats: int) -> Timing:
    """Time the making of the UNet, each time with a new pool."""
    samples = []
    for _ in range(repeats):
        fresh = context(path, device)
        model = load_checkpoint(fresh, path.name).MODEL
        samples.append(once(partial(fresh.use(pool).unet, model)))
    return summary(samples)
