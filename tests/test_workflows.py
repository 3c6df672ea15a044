"""Every ready workflow runs, and the table that tells of them is true."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import nodes
from engine import Engine, Folders, Settings
from nodes.models.families import controlnet
from tests.nodes.models import tiny

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
TABLE = (ROOT / "docs" / "workflows.md").read_text()
SIZES = {
    "area-composition": (256, 128),
    "hires-fix": (160, 160),
    "portrait": (512, 512),
    "train-lora": (256, 128),
    "upscale": (256, 256),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("workflows")
    control(home / "models" / "controlnet" / "portrait-edges.safetensors")
    folders = Folders((home / "models", nodes.EMBEDDED), ROOT / "workflows" / "input", home / "output", home / "temp")
    with Engine(nodes.vocabulary(), folders=folders, settings=Settings(device="cpu")) as made:
        yield made


CONTROL = {
    "in_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "block_out_channels": (64, 96, 128),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1, 1),
    "cross_attention_dim": 128,
    "attention_head_dim": 8,
    "norm_num_groups": 16,
    "use_linear_projection": False,
    "conditioning_channels": 3,
    "conditioning_embedding_out_channels": (8, 8, 16, 16),
}
"""The build of the embedded model's encoder."""


def control(path: Path) -> None:
    """Write a ControlNet for the embedded model that knows nothing: to train one takes minutes."""
    module = tiny.filled(controlnet.build(CONTROL), 1)
    facts = {"unet": {"attention_head_dim": 8, "norm_num_groups": 16}}
    tiny.write(
        path, {name: tensor * 0.1 for name, tensor in module.state_dict().items()}, {"config": json.dumps(facts)}
    )


def quick(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes that let a workflow take two steps."""
    return {f"{id}.steps": 2 for id, node in prompt.items() if "steps" in node["inputs"]}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs(path: Path, engine: Engine) -> None:
    loaded = engine.load(path)
    assert loaded.warnings == ()
    result = engine.run(loaded, quick(loaded.prompt))
    pictures = [id for id, node in loaded.prompt.items() if node["class_type"] == "SaveImage"]
    (shown,) = (result.outputs[id] for id in pictures)
    with Image.open(shown.files[0]["path"]) as image:
        assert image.size == SIZES.get(path.stem, (128, 128))
        assert all(low < high for low, high in image.convert("RGB").getextrema())


def test_a_lora_and_a_controlnet_change_the_picture(engine: Engine) -> None:
    for name, changes in (
        ("lora", {"strength_model": 0.0}),
        ("lora-mask", {"strength_model": 0.0}),
        ("controlnet", {"strength": 0.0}),
    ):
        loaded = engine.load(ROOT / "workflows" / f"{name}.json")
        decode = next(id for id, node in loaded.prompt.items() if node["class_type"] == "VAEDecode")
        with_it, without = (
            engine.run(loaded, quick(loaded.prompt) | more, values=[decode]).values[decode][0][0]
            for more in ({}, changes)
        )
        assert not torch.allclose(with_it, without, atol=1 / 255), name


def test_what_was_trained_changes_the_picture_and_is_saved(engine: Engine) -> None:
    """Two steps at a rate that goes far: the ready file takes sixty."""
    loaded = engine.load(ROOT / "workflows" / "train-lora.json")
    changes = {**quick(loaded.prompt), "Train.learning_rate": 0.1}
    result = engine.run(loaded, changes, values=["Before", "After"])
    before, after = (result.values[name][0][0] for name in ("Before", "After"))
    assert not torch.allclose(before, after, atol=1 / 255)
    names = {file["filename"] for output in result.outputs.values() for file in output.files}
    assert len(names) == 3 and any(name.startswith("blueprint_2_steps_") for name in names)


def test_what_a_workflow_declares_is_what_it_takes(engine: Engine) -> None:
    path = ROOT / "workflows" / "portraits.json"
    names = [each.name for each in engine.parameters(path)]
    assert names == ["prompt", "seed", "steps", "strength", "sampler"]
    bound = engine.check(path, {"prompt": "portrait of a cat", "sampler": "heun", "strength": 4})
    assert (bound.nodes["2"].literals["text"], bound.nodes["5"].literals["cfg"]) == ("portrait of a cat", 4.0)


def test_there_is_a_command_for_every_workflow_that_names_the_pictures_which_it_loads() -> None:
    commands = {line.strip() for line in TABLE.splitlines() if line.startswith("loomis run")}
    for path in WORKFLOWS:
        loads = " --input workflows/input" if '"LoadImage' in path.read_text() else ""
        command = f"loomis run workflows/{path.name}{loads}"
        assert command in commands or (path.stem == "portraits" and f"loomis batch workflows/{path.name}" in TABLE)


def test_the_table_lists_every_workflow_with_its_picture() -> None:
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \|.*\| (.+?) \|$", TABLE, re.MULTILINE)
    assert sorted(link for _, link, _ in rows) == [f"../workflows/{path.name}" for path in WORKFLOWS]
    for name, _, picture in rows:
        (image,) = re.findall(r"!\[.*?\]\((.+?)\)", picture)
        with Image.open(ROOT / "docs" / image) as opened:
            if name == "portraits":  # a contact sheet
                continue
            made = json.loads(opened.text["prompt"])
        nodes_of = json.loads((ROOT / "workflows" / f"{name}.json").read_text())
        assert {id: node["class_type"] for id, node in made.items()} == {
            id: node["class_type"] for id, node in nodes_of.get("prompt", nodes_of).items()
        }
