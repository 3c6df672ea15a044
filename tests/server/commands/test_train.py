from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from nodes.models import families
from nodes.models.weights import open_weights
from nodes.training.export import export
from nodes.training.parts import build
from server.commands.train import train
from tests.nodes.training import tiny


@pytest.fixture
def start(here: Path) -> str:
    """A checkpoint in the models folder, and pictures in ``pictures``."""
    tiny.write_pictures(here / "pictures")
    parts = build(replace(tiny.DESIGN, scale=1.0), 0)
    (here / "models" / "checkpoints").mkdir(parents=True)
    export(here / "models" / "checkpoints" / "start.safetensors", parts, None, "start")
    return "start.safetensors"


def loomis_train(*args: str) -> Result:
    app = typer.Typer()
    app.command()(train)
    return CliRunner().invoke(app, ["--device", "cpu", *args])


def test_it_tunes_a_checkpoint_by_name(start: str) -> None:
    ran = loomis_train("pictures", "--to", "job", "--from", start, "--steps", "2", "--batch", "2", "--title", "tuned")
    assert ran.exit_code == 0, ran.stderr
    assert ran.stdout == "job/model.safetensors\n"
    weights = open_weights(Path("job/model.safetensors"))
    assert families.detect(weights).defaults.width == tiny.SIZE
    assert weights.metadata["modelspec.title"] == "tuned"
    assert "diffusion: step 2, loss" in ran.stderr


def test_it_trains_one_stage(start: str) -> None:
    ran = loomis_train("pictures", "--to", "job", "--from", start, "--steps", "1", "--stage", "decoder", "--batch", "2")
    assert ran.exit_code == 0, ran.stderr
    assert ran.stdout == ""
    assert [path.name for path in Path("job").iterdir()] == ["decoder"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("pictures", "--to", "job"), 2, "how long"),
        (("pictures", "--to", "job", "--steps", "1", "--precision", "fp16"), 2, "fp16"),
        (("pictures", "--to", "job", "--steps", "1", "--size", "100"), 3, "a multiple of 32"),
        (("nothing", "--to", "job", "--steps", "1"), 3, "no pictures"),
        (("pictures", "--to", "job", "--steps", "1", "--from", "gone.safetensors"), 3, "gone.safetensors"),
        (("pictures", "--to", "job", "--steps", "1", "--stage", "diffusion"), 3, "no autoencoder"),
    ],
)
def test_what_is_wrong_is_said_in_one_block(start: str, args: tuple[str, ...], code: int, said: str) -> None:
    ran = loomis_train(*args)
    assert ran.exit_code == code
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not [*Path().rglob("state.safetensors")]
