from dataclasses import replace
from pathlib import Path

import typer
from typer.testing import CliRunner

from nodes.models import families
from nodes.models.weights import open_weights
from nodes.training.export import export
from nodes.training.parts import build
from server.commands.train import train
from tests.nodes.training import tiny


def test_the_command_tunes_a_checkpoint(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(train)
    start = tmp_path / "start.safetensors"
    parts = build(tiny.DESIGN, 0)
    parts.design = replace(parts.design, scale=1.0)
    export(start, parts, None, "start")
    data, to = tiny.write_pictures(tmp_path / "pictures"), tmp_path / "job"
    arguments = [data, "--to", to, "--from", start, "--steps", 2, "--batch", 2, "--device", "cpu", "--title", "tuned"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None
    path = to / "model.safetensors"
    assert result.stdout == f"{path}\n"
    weights = open_weights(path)
    assert families.detect(weights).defaults.width == tiny.SIZE
    assert weights.metadata["modelspec.title"] == "tuned"
