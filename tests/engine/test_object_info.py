"""Node types in the form of /object_info. That ours say what ComfyUI's say is in tests/nodes/test_catalogue.py."""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

import pytest

from engine import Folders, Registry
from engine.node import Field, Files, Hidden, InputFile, Lazy, OptionalInput, Shown, Widget
from engine.object_info import SpecClasses, object_info
from engine.schema import Port
from engine.types import Image


class Two(NamedTuple):
    picture: Image
    counts: list[int]


@pytest.fixture(scope="module")
def registry():
    registry = Registry()

    def needed(**known):
        return []

    @registry.node("Make", category="test", display_name="Make It", lazy=needed, deprecated=True)
    def make(
        name: Annotated[str, Files("checkpoints"), Widget(tooltip="Which.")],
        picture: Annotated[str, InputFile((".png",)), Widget(image_upload=True)],
        image: Annotated[Image, Lazy()],
        count: Annotated[int, Field(ge=1, le=9)] = 3,
        mode: Literal["a", "b"] = "b",
        mask: Image | None = None,
        scale: Annotated[float, OptionalInput()] = 1.0,
        id: Annotated[str, Hidden("UNIQUE_ID")] = "",
    ) -> Two:
        """Make two things."""

    @registry.node("Save", output_node=True, input_is_list=True)
    def save(images: list[Image]) -> Shown[None]:
        """Save pictures."""

    return registry


@pytest.fixture
def folders(tmp_path):
    for name in ("models/checkpoints/b.safetensors", "models/checkpoints/sub/a.ckpt", "input/cat.png", "input/cat.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Folders(models=(tmp_path / "models",), input=tmp_path / "input")


def test_an_entry(registry, folders):
    assert object_info(registry, folders)["Make"] == {
        "input": {
            "required": {
                "name": [["b.safetensors", "sub/a.ckpt"], {"tooltip": "Which."}],
                "picture": [["cat.png"], {"image_upload": True}],
                "image": ["IMAGE", {"lazy": True}],
                "count": ["INT", {"default": 3, "min": 1, "max": 9}],
                "mode": [["a", "b"], {"default": "b"}],
            },
            "optional": {"mask": ["IMAGE", {}], "scale": ["FLOAT", {"default": 1.0}]},
            "hidden": {"id": "UNIQUE_ID"},
        },
        "input_order": {
            "required": ["name", "picture", "image", "count", "mode"],
            "optional": ["mask", "scale"],
            "hidden": ["id"],
        },
        "is_input_list": False,
        "output": ["IMAGE", "INT"],
        "output_is_list": [False, True],
        "output_name": ["picture", "counts"],
        "name": "Make",
        "display_name": "Make It",
        "description": "Make two things.",
        "python_module": __name__,
        "category": "test",
        "output_node": False,
        "deprecated": True,
        "experimental": False,
        "api_node": False,
    }


def test_an_output_node_gets_the_workflow(registry):
    entry = object_info(registry)["Save"]
    assert entry["input"]["hidden"] == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    assert (entry["output_node"], entry["is_input_list"], entry["output"]) == (True, True, [])


def test_an_input_that_no_editor_shows_is_told_as_it_is_declared(registry):
    shown, table = (
        Port("a", "COMBO", options={"options": ["x"], "tooltip": "t"}),
        Port("b", "*", None, False, hidden=[{}]),
    )
    spec = replace(registry["Save"], inputs=(shown, table))
    assert object_info([spec])["Save"]["input"] == {
        "required": {"a": [["x"], {"tooltip": "t"}]},
        "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "b": [{}]},
    }
    assert [port.name for port in SpecClasses({"Save": spec})["Save"].inputs] == ["a"]


def test_without_folders_choices_of_files_are_open(registry):
    required = object_info(registry)["Make"]["input"]["required"]
    assert required["name"] == ["COMBO", {"tooltip": "Which."}]
    assert required["mode"][0] == ["a", "b"]


def test_what_the_converter_knows(registry):
    classes = SpecClasses(registry.specs)
    info = classes["Make"]
    assert [(item.name, item.type, item.choices) for item in info.inputs] == [
        ("name", "COMBO", None),
        ("picture", "COMBO", None),
        ("image", "IMAGE", None),
        ("count", "INT", None),
        ("mode", "COMBO", ("a", "b")),
        ("mask", "IMAGE", None),
        ("scale", "FLOAT", None),
    ]
    assert (classes["Make"] is info, list(classes), classes.get("Other")) == (True, ["Make", "Save"], None)


def test_a_type_that_is_declared_anew_is_seen(registry):
    specs = dict(registry.specs)
    classes = SpecClasses(specs)
    assert classes["Make"].display_name == "Make It"
    specs["Make"] = specs["Save"]
    assert classes["Make"].display_name == "Save"
