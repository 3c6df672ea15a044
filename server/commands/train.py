"""``loomis train``."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nodes.lazy import lazy

if TYPE_CHECKING:
    from nodes.training import run as training
else:
    training = lazy("nodes.training.run")


class StageChoice(StrEnum):
    """What to train."""

    ALL = "all"
    AUTOENCODER = "autoencoder"
    DECODER = "decoder"
    DIFFUSION = "diffusion"


class PrecisionChoice(StrEnum):
    """What to compute in."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A folder of pictures with captions: a text file beside each, or captions.jsonl."
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder of the job: states, samples, logs.")],
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", show_default=False, help="Go on from this SD 1.x checkpoint."),
    ] = None,
    stage: Annotated[
        StageChoice | None,
        typer.Option(show_default=False, help="Default: all; with --from: diffusion."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, show_default=False, help="Stop after this time, over all runs of the job.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Stop each stage after this many steps.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, show_default=False, help="Pictures a step.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.0, show_default=False, help="Learning rate.")] = None,
    size: Annotated[
        int | None,
        typer.Option(min=1, metavar="PIXELS", show_default=False, help="Default: 128, or that of the checkpoint."),
    ] = None,
    text: Annotated[
        bool | None,
        typer.Option("--text/--no-text", show_default=False, help="Train the text encoder. Default: not with --from."),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", show_default=False, help="A prompt of the sample grids. May be repeated."),
    ] = None,
    sample_every: Annotated[int, typer.Option(min=1, metavar="STEPS", help="Make a sample grid this often.")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.")] = "auto",
    precision: Annotated[PrecisionChoice, typer.Option()] = PrecisionChoice.AUTO,
    compiled: Annotated[bool, typer.Option("--compile", metavar="", help="Compile the UNet first.")] = False,
    title: Annotated[str, typer.Option(help="The name in the header of the checkpoint.")] = "loomis",
) -> None:
    """Train a model on a folder of pictures, or go on training a checkpoint.

    Press Ctrl-C to stop: the state is written, and the same command goes on from there. The model is written to
    model.safetensors in the folder of the job.

    Examples:
      loomis train portraits --to job --minutes 160
      loomis train pictures --to tuned --from model.safetensors --steps 2000
    """
    chosen = stage or (StageChoice.DIFFUSION if start else StageChoice.ALL)
    stages = tuple(name for name in training.STAGES if chosen in ("all", name))
    job = training.Job(
        data=data, to=to, stages=stages, start=start, steps=steps, minutes=minutes, batch=batch, rate=rate, size=size,
        seed=seed, device=device, precision=precision.value, compile=compiled, text=text, sample_every=sample_every,
        prompts=tuple(prompt or ()), title=title,
    )  # fmt: skip
    with _stopped_by_ctrl_c() as cancel:
        path = training.train(job, cancel, Console(stderr=True))
    if path:
        typer.echo(path)


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets. The second one interrupts."""
    cancel = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        typer.echo("Stopping after this step. Press Ctrl-C again to stop at once.", err=True)

    signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
