"""The demo workflow, run again: what is remembered, what runs, and what is loaded for it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

import nodes
from engine import Engine, Folders, Settings
from nodes import EMBEDDED
from nodes.machine import runtime, torch_version
from nodes.models.service import pool
from tests.acceptance.command import CHECKPOINT, PORTRAIT, Told, loomis, portrait, saved
from tests.engine.words import ran, recorded, remembered

EVERY = frozenset("123456789")
HEAVY = {"torch", "numpy", "diffusers", "transformers", "spandrel", "PIL", "safetensors"}


@dataclass(frozen=True)
class First:
    home: Path
    told: Told


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """The first run of the demo workflow, in an empty home."""
    home = tmp_path_factory.mktemp("first")
    told = loomis(home, "run", PORTRAIT, "--json")
    assert told.code == 0, told.err
    return First(home, told)


@pytest.fixture
def home(first: First, tmp_path: Path) -> Path:
    """A home that remembers the first run and has no files yet."""
    shutil.copytree(first.home / "data", tmp_path / "data")
    return tmp_path


def opened(home: Path) -> Engine:
    """Return the engine that the command opens in a home."""
    folders = Folders((home / "models", EMBEDDED), home / "input", home / "output", home / "data" / "temp")
    settings = Settings(device="cpu", runtime=runtime(torch_version()))
    return Engine(nodes.vocabulary(), folders=folders, settings=settings, data=home / "data")


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    with opened(home) as engine:
        yield engine


def changed(node: str, **inputs: Any) -> dict[str, Any]:
    """Return the demo workflow with other inputs on one node."""
    workflow = portrait()
    workflow[node]["inputs"] |= inputs
    return workflow


def scaled(factor: float) -> dict[str, Any]:
    """Return the demo workflow with a scaling before the save."""
    inputs = {"image": ["8", 0], "upscale_method": "bilinear", "scale_by": factor}
    return changed("9", images=["10", 0]) | {"10": {"class_type": "ImageScaleBy", "inputs": inputs}}


def test_the_first_run_makes_a_picture(first: First):
    (file,) = first.told.files
    with Image.open(file) as picture:
        assert picture.size == (512, 512) and len(picture.getcolors(2**20) or ()) > 1000
    assert first.told.ran == EVERY and file == first.home / "output" / "portrait_00001_.png"


def test_the_second_run_imports_nothing_heavy_and_writes_the_file_again(first: First):
    (file,) = first.told.files
    before = file.read_bytes()
    file.unlink()
    told = loomis(first.home, "run", PORTRAIT, "--json")
    assert (told.code, told.files, file.read_bytes()) == (0, [file], before)
    assert told.nodes("remembered") == EVERY and told.ran == set() and told.nodes("node_started") == set()
    assert [line["written"] for line in told.lines if line.get("event") == "saved"] == [True]
    assert {module.partition(".")[0] for module in told.modules} & HEAVY == set()
    again = loomis(first.home, "run", PORTRAIT, "--json")
    assert [line["written"] for line in again.lines if line.get("event") == "saved"] == [False]
    assert sorted((first.home / "output").iterdir()) == [file]


def test_another_output_folder_gets_its_own_copy(first: First, tmp_path: Path):
    told = loomis(first.home, "run", PORTRAIT, "--json", OUT=tmp_path / "elsewhere")
    assert told.files == [tmp_path / "elsewhere" / "portrait_00001_.png"] and told.ran == set()
    assert told.files[0].read_bytes() == first.told.files[0].read_bytes() and "torch" not in told.modules


def test_a_changed_scaling_runs_only_the_scaling_and_the_save(home: Path, engine: Engine):
    assert ran(recorded(engine, scaled(0.5))[1]) == ["10", "9"]
    told = loomis(home, "run", saved(home, scaled(0.25)), "--json")
    assert told.ran == {"10", "9"} and told.nodes("remembered") == EVERY - {"9"}
    assert {"diffusers", "transformers", "spandrel", "nodes.models.pool"} & told.modules == set()
    assert [file.name for file in told.files] == ["portrait_00002_.png"]
    with Image.open(told.files[0]) as picture:
        assert picture.size == (128, 128)


def test_another_upscaler_does_not_load_the_checkpoint(home: Path, engine: Engine):
    name = "realesr-animevideov3_x4.safetensors"
    rewritten(EMBEDDED / "upscale_models" / name, home / "models" / "upscale_models" / "other.safetensors", 1.5)
    _, events = recorded(engine, changed("7", model_name="other.safetensors"))
    assert ran(events) == ["7", "8", "9"]
    weights = engine._shared.environment.services[pool]
    assert {file.folder for file in weights._files} == {"upscale_models"}


def test_a_prompt_with_the_same_tokens_does_not_run_the_sampler(engine: Engine):
    text = portrait()["2"]["inputs"]["text"]
    _, events = recorded(engine, changed("2", text=f"  {text.upper().replace(' ', '   ')} "))
    assert ran(events) == ["2"] and remembered(events) == EVERY - {"2"}


def test_another_prompt_runs_what_depends_on_it(engine: Engine):
    parameters = {"Positive.text": "portrait of a man", "5.steps": 2}
    _, events = recorded(engine, portrait(), parameters=parameters)
    assert ran(events) == ["2", "5", "6", "8", "9"] and remembered(events) == {"1", "3", "4", "7"}


def rewritten(source: Path, target: Path, factor: float, **metadata: str) -> None:
    """Write a model file with one tensor multiplied, under a name that may be taken."""
    with safe_open(source, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        known = file.metadata() or {}
    name = next(name for name, tensor in sorted(tensors.items()) if tensor.ndim == 4)
    tensors[name] = tensors[name] * tensors[name].dtype.type(factor)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".new")
    save_file(tensors, beside, {**known, **metadata})
    beside.replace(target)


def test_a_replaced_checkpoint_runs_and_an_equal_one_does_not(home: Path):
    copy = home / "models" / "checkpoints" / CHECKPOINT.name
    copy.parent.mkdir(parents=True)
    shutil.copyfile(CHECKPOINT, copy)
    few = changed("5", steps=2)
    with opened(home) as engine:
        assert ran(recorded(engine, portrait())[1]) == []
        assert ran(recorded(engine, few)[1]) == ["5", "6", "8", "9"]
    rewritten(CHECKPOINT, copy, 1.01, note="changed")
    with opened(home) as engine:
        result, events = recorded(engine, few)
        assert set(ran(events)) == {"1", "2", "3", "5", "6", "8", "9"} and remembered(events) == {"4", "7"}
        assert [file["filename"] for file in result.outputs["9"].files] == ["portrait_00003_.png"]


def test_a_replaced_checkpoint_is_seen_by_an_engine_that_is_open(home: Path, engine: Engine):
    copy = home / "models" / "checkpoints" / CHECKPOINT.name
    rewritten(CHECKPOINT, copy, 1.01)
    few = changed("5", steps=1)
    first = engine.run(few, values=["6"]).values["6"][0][0]
    rewritten(CHECKPOINT, copy, 1.2)
    result, events = recorded(engine, few, values=["6"])
    assert "5" in ran(events) and not result.values["6"][0][0].equal(first)


def test_renamed_ids_and_going_back_run_nothing(engine: Engine):
    ids = {id: f"node-{id}" for id in portrait()}
    renamed = {
        ids[id]: {
            "class_type": node["class_type"],
            "inputs": {
                name: [ids[value[0]], value[1]] if isinstance(value, list) else value
                for name, value in node["inputs"].items()
            },
        }
        for id, node in portrait().items()
    }
    assert ran(recorded(engine, renamed)[1]) == []
    assert ran(recorded(engine, scaled(0.5))[1]) == ["10", "9"]
    assert ran(recorded(engine, portrait())[1]) == []
    assert ran(recorded(engine, scaled(0.5))[1]) == []


def test_equal_branches_run_once(engine: Engine):
    workflow = portrait()
    for branch in range(10):
        for id in "569":
            node = portrait()[id]
            links = {"5": {}, "6": {"samples": [f"5-{branch}", 0]}, "9": {"images": [f"6-{branch}", 0]}}[id]
            workflow[f"{id}-{branch}"] = {**node, "inputs": {**node["inputs"], **links}}
        workflow[f"5-{branch}"]["inputs"]["steps"] = 1
    _, events = recorded(engine, workflow)
    assert sorted(id.partition("-")[0] for id in ran(events)) == ["5", "6", "9"]


def test_a_picture_holds_what_editors_read_back(engine: Engine):
    drawing = {"nodes": [{"id": 9, "type": "SaveImage"}], "title": "Bäume"}
    result = engine.run(portrait(), extra={"workflow": drawing})
    (file,) = result.outputs["9"].files
    with Image.open(file["path"]) as picture:
        held = {name: json.loads(text) for name, text in picture.text.items()}
    assert (held["prompt"], held["workflow"]) == (portrait(), drawing)
    assert held.keys() == {"prompt", "workflow", "loomis"}


def test_a_picture_of_the_command_holds_the_prompt_as_it_ran(first: First):
    with Image.open(first.told.files[0]) as picture:
        assert json.loads(picture.text["prompt"]) == portrait()
