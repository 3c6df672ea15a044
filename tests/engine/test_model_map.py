"""Other models in the place of those that a workflow names."""

from pathlib import Path
from typing import Annotated

import pytest

from engine.folders import Folders
from engine.formats.load import Loaded
from engine.model_map import ModelMap, nearest_model
from engine.node import Files
from tests.engine.words import Vocabulary, n

REGISTRY = Vocabulary().registry
PROMPT = {
    "1": n("Weights", name="SD15\\v1-5-pruned.ckpt"),
    "2": n("Weights", name="here.safetensors"),
    "3": n("Weights", name=("4", 0)),
    "4": n("Text", value="v1-5-pruned.ckpt"),
    "5": n("Far", name="v1-5-pruned.ckpt"),
    "6": n("Weights", name="../../etc/passwd"),
}


@pytest.fixture
def folders(tmp_path: Path):
    folder = tmp_path / "checkpoints"
    for name in ("here.safetensors", "sub/V1-5-Pruned-emaonly.safetensors", "other.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return Folders(models=(tmp_path,))


def mapped(folders, names=(), nearest=False):
    loaded = ModelMap(dict(names), nearest).apply(Loaded(PROMPT, None, (), "api", "json"), REGISTRY, folders)
    changed = {id: node["inputs"]["name"] for id, node in loaded.prompt.items() if node != PROMPT[id]}
    assert [(each.node, each.level, each.code) for each in loaded.warnings] == [
        (id, "warning", "model_mapped") for id in changed
    ]
    return changed


@pytest.mark.parametrize("name", ["SD15\\v1-5-pruned.ckpt", "SD15/v1-5-pruned.ckpt", "v1-5-pruned.ckpt"])
def test_a_name_is_mapped_whole_or_by_its_last_part(folders, name):
    assert mapped(folders, {name: "other.safetensors"}) == {"1": "other.safetensors"}


def test_what_is_here_is_mapped_only_by_name(folders):
    assert mapped(folders, {"here.safetensors": "other.safetensors"}) == {"2": "other.safetensors"}


def test_the_nearest_takes_the_place_of_what_is_not_here(folders):
    found = mapped(folders, nearest=True)
    assert found["1"] == "sub/V1-5-Pruned-emaonly.safetensors"
    assert found.keys() == {"1", "6"}
    assert mapped(folders, {"v1-5-pruned.ckpt": "here.safetensors"}, nearest=True)["1"] == "here.safetensors"


def test_a_choice_that_is_no_file_stays_as_it_is(folders):
    words = Vocabulary()

    @words.registry.node("Maybe")
    def maybe(name: Annotated[str, Files("checkpoints", ("[None]",))]) -> str:
        return name

    prompt = {"1": n("Maybe", name="[None]")}
    loaded = ModelMap({}, nearest=True).apply(Loaded(prompt, None, (), "api", "json"), words.registry, folders)
    assert loaded.prompt == prompt and loaded.warnings == ()


def test_nothing_is_mapped_unasked_and_nothing_into_nothing(folders, tmp_path):
    assert mapped(folders) == {}
    assert mapped(Folders(models=(tmp_path / "none",)), nearest=True) == {}


def test_nearest_model():
    assert nearest_model("x", []) is None
    assert nearest_model("AOM3.ckpt", ["z/aom3a1.ckpt", "AOMzzz.ckpt"]) == "z/aom3a1.ckpt"
