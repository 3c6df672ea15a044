"""``loomis train``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from engine.errors import Cancelled, SettingError
from nodes import EMBEDDED
from server.command import command
from server.settings import Options
from server.signals import cancelled_by_ctrl_c


class StageChoice(StrEnum):
    """What to train."""

    ALL = "all"
    AUTOENCODER = "autoencoder"
    DECODER = "decoder"
    DIFFUSION = "diffusion"


Pictures: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="PICTURES", help="A folder of pictures with captions: a text file beside each, or captions.jsonl."
    ),
]
To: TypeAlias = Annotated[
    Path, typer.Option("--to", metavar="DIR", help="The folder of the job: states, samples, logs, the model.")
]
Start: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="FILE", show_default=False, help="Go on from this SD 1.x checkpoint: a path or a name."
    ),
]
Minutes: TypeAlias = Annotated[
    float | None,
    typer.Option(min=0.01, show_default=False, help="Stop after this time of training, over all runs of the job."),
]


@command
def train(
    options: Options,
    pictures: Pictures,
    to: To,
    start: Start = None,
    stage: Annotated[
        StageChoice | None, typer.Option(show_default=False, help="Default: all; with --from: diffusion.")
    ] = None,
    minutes: Minutes = None,
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
    compiled: Annotated[bool, typer.Option("--compile", metavar="", help="Compile the UNet first.")] = False,
    title: Annotated[str, typer.Option(help="The name in the header of the model.")] = "loomis",
) -> None:
    """Train a model on a folder of pictures, or go on training a checkpoint.

    Ctrl-C writes the state; the same command goes on from there. The model goes to model.safetensors in the folder of
    the job, its path to standard output.

    Examples:
      loomis train portraits --to job --minutes 160
      loomis train pictures --to tuned --from model.safetensors --steps 2000
    """
    from rich.console import Console

    from nodes.training import run as training

    if options.precision == "fp16":
        raise SettingError("Nothing is trained in fp16.", got="fp16", expected="auto, fp32 or bf16")
    chosen = stage or (StageChoice.DIFFUSION if start else StageChoice.ALL)
    job = training.Job(
        data=pictures, to=to, stages=tuple(name for name in training.STAGES if chosen in ("all", name)),
        start=_checkpoint(options, start) if start else None, steps=steps, minutes=minutes, batch=batch, rate=rate,
        size=size, seed=seed, device=options.settings().device, precision=options.precision, compile=compiled,
        text=text, sample_every=sample_every, prompts=tuple(prompt or ()), title=title,
    )  # fmt: skip
    with cancelled_by_ctrl_c() as cancel:
        path = training.train(job, cancel, Console(stderr=True))
    if path:
        typer.echo(path)
    if cancel.is_set():
        raise Cancelled("Stopped. The state is written.", hint="The same command goes on from there.")


def _checkpoint(options: Options, given: Path) -> Path:
    """Return the file of a path, or of a name in the models folders."""
    return given if given.is_file() else options.folders(EMBEDDED).model("checkpoints", given.as_posix()) or given
