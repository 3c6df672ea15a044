import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image

from nodes.training.journal import LOG, Journal
from tests.nodes.training.tiny import quiet


def test_reports_are_lines_of_json(tmp_path: Path) -> None:
    console = quiet()
    with Journal(tmp_path, "stage", console) as journal:
        journal.report(10, {"loss": 0.123456789, "rate": 1e-3})
        journal.report(20, {"psnr": 30.0})
        journal.move(2.0)
        journal.say("half way [there]")
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines == [{"step": 10, "loss": 0.123457, "rate": 0.001}, {"step": 20, "psnr": 30.0}]
    assert console.file.getvalue() == "stage: half way [there]\n"


def test_pictures_keep_their_notes(tmp_path: Path) -> None:
    with Journal(tmp_path, "stage", quiet()) as journal:
        path = journal.picture(7, torch.full((2, 3, 3), 9, dtype=torch.uint8), {"prompts": "a fox\nein Füchslein"})
    assert path == tmp_path / "samples" / "step_000007.png"
    with Image.open(path) as image:
        assert image.size == (3, 2)
        assert image.info["prompts"] == "a fox\nein Füchslein"


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed (loomis[train])")
def test_tensorboard_gets_numbers_and_pictures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Journal(tmp_path, "stage", quiet()) as journal:
        journal.report(10, {"loss": 0.5})
        journal.picture(10, torch.zeros(4, 4, 3, dtype=torch.uint8), {})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(10, 0.5)]
    assert len(events.Images("samples")) == 1
