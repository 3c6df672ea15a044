"""What a training tells while it goes on: a bar, a line per report in ``log.jsonl``, pictures, TensorBoard."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image, PngImagePlugin
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor

LOG = "log.jsonl"


class Journal:
    """The journal of a stage, in its folder. TensorBoard is written where it is installed (``loomis[train]``)."""

    def __init__(self, folder: Path, name: str, console: Console) -> None:
        self.folder = folder
        self.name = name
        self.console = console
        self.bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[report]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(name, total=1.0, report="")
        self.board: Any = None
        (folder / "samples").mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        if find_spec("tensorboard"):
            from torch.utils.tensorboard.writer import SummaryWriter

            self.board = SummaryWriter(str(self.folder / "tensorboard"))
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.stop()
        if self.board:
            self.board.close()

    def move(self, fraction: float) -> None:
        """Move the bar to the part (0 to 1) that is done."""
        self.bar.update(self.task, completed=min(fraction, 1.0))

    def report(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers of a step down."""
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": step, **{name: _short(value) for name, value in values.items()}}) + "\n")
        if "loss" in values:
            self.bar.update(self.task, report=f"step {step}, loss {values['loss']:.4f}")
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def picture(self, step: int, pixels: Tensor, notes: Mapping[str, str]) -> Path:
        """Keep a picture, uint8 (height, width, 3), with notes in its text chunks. Returns its path."""
        info = PngImagePlugin.PngInfo()
        for name, note in notes.items():
            info.add_itxt(name, note)
        path = self.folder / "samples" / f"step_{step:06d}.png"
        Image.fromarray(pixels.cpu().numpy()).save(path, pnginfo=info)
        if self.board:
            self.board.add_image("samples", pixels, step, dataformats="HWC")
        return path

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(f"{self.name}: {text}", markup=False, highlight=False, soft_wrap=True)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
