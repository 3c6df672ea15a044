"""A pack that uses the names here, in runs of the engine."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from engine import Engine
from engine.errors import Cancelled
from engine.events import Progress, Saved, WasCancelled
from nodes import vocabulary
from nodes.packs import current
from nodes.packs.opening import open_packs
from tests.nodes.packs.classic import PACKS, Bench, folders, node

PICTURE = node("EmptyImage", width=8, height=6, batch_size=1, color=0x40FF00)


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Bench]:
    opened = open_packs([PACKS / "asking"], vocabulary(), folders(tmp_path), tmp_path / "packs")
    assert opened.problems == ()
    with Engine(opened.registry, folders=folders(tmp_path), data=tmp_path / "data") as engine:
        yield Bench(engine)


def test_a_node_resizes_tells_and_calls_ours(asking: Bench) -> None:
    sent: list[tuple[str, Mapping[str, Any], str | None]] = []
    current.set_sender(lambda *event: sent.append(event))
    ((image, folder),) = asking.run({"p": PICTURE, "1": node("Resize", image=["p", 0], side=3)}, "1")
    assert torch.allclose(image, 1 - torch.tensor([64, 255, 0]) / 255 * torch.ones(1, 3, 3, 3))
    assert folder == "output" and sent == [("asking.resized", {"side": 3}, None)]
    steps = [each for each in asking.events if isinstance(each, Progress)]
    assert [(each.node, each.value, each.maximum) for each in steps] == [("1", 1, 2), ("1", 2, 2)]


def test_a_picture_that_a_subclass_of_ours_saves_has_the_workflow(asking: Bench, tmp_path: Path) -> None:
    graph = {"p": PICTURE, "1": node("Keep", image=["p", 0])}
    events: list[Any] = []
    asking.engine.run(graph, on_event=events.append)
    (saved,) = (each for each in events if isinstance(each, Saved))
    (file,) = saved.files
    assert (file["filename"], file["subfolder"], file["type"], file["kind"]) == (
        "kept_00001_.png",
        "",
        "output",
        "images",
    )
    with Image.open(tmp_path / "output" / "kept_00001_.png") as picture:
        assert isinstance(picture, PngImageFile)
        assert picture.size == (8, 6) and json.loads(picture.text["prompt"])["1"]["class_type"] == "Keep"


def test_a_node_that_asks_for_it_ends_the_run_and_no_other(asking: Bench) -> None:
    graph = {"1": node("Stop", value=2), "2": node("Stop", value=["1", 0])}
    with pytest.raises(Cancelled):
        asking.run(graph, "2")
    assert asking.ran == ["1"] and isinstance(asking.events[-1], WasCancelled)
    assert asking.run({"1": node("Stop", value=1)}, "1") == [[1]]


def test_dynamic_inputs_reach_a_newer_node_as_dicts(asking: Bench) -> None:
    inputs = {"how": "times", "how.factor": 3, "numbers.number0": 5, "numbers.number1": 7}
    assert asking.run({"1": node("Choose", **inputs)}, "1") == [[15, "1: 2"]]
    assert asking.run({"1": node("Choose", **{"how": "first", "numbers.number0": 5})}, "1") == [[5, "1: 1"]]


def test_what_a_node_calls_hidden_and_is_no_token_is_not_given(asking: Bench) -> None:
    assert asking.run({"1": node("Hides")}, "1") == [["{'node': '1', 'key': None}"]]
