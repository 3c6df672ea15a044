"""What newer nodes declare, as classic nodes would; values with dots in their names."""

from enum import Enum

from nodes.packs.names.comfy_api.latest import _io as io
from nodes.packs.names.comfy_api.latest._inputs import nested, sections


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


def test_an_input_is_a_type_and_options() -> None:
    declared = sections([
        io.Int.Input("a", default=1, min=0, max=9, step=2, display_mode=io.NumberDisplay.slider, tooltip="t"),
        io.String.Input("b", "B", multiline=True, dynamic_prompts=True, force_input=True, optional=True),
        io.Combo.Input("c", ["x", "y"], default="x", upload=io.UploadType.image, image_folder=io.FolderType.input),
        io.Combo.Input("d", options=Size, lazy=True, remote=io.RemoteOptions("/r", True, timeout=None)),
        io.MultiCombo.Input("e", options=["x"], chip=True),
        io.Custom("OWN").Input("f", optional=True, extra_dict={"own": 1}),
        io.MultiType.Input("g", [io.Model, io.Clip]),
        io.MultiType.Input(io.Float.Input("h", default=8.0, optional=True), [io.Int]),
        io.AnyType.Input("i"),
    ])  # fmt: skip
    assert declared["required"] == {
        "a": ("INT", {"tooltip": "t", "default": 1, "min": 0, "max": 9, "step": 2, "display": "slider"}),
        "c": ("COMBO", {"default": "x", "image_folder": "input", "image_upload": True, "options": ["x", "y"]}),
        "d": (
            "COMBO",
            {"lazy": True, "remote": {"route": "/r", "refresh_button": True}, "options": ["small", "large"]},
        ),
        "e": ("COMBO", {"options": ["x"], "multi_select": {"chip": True}}),
        "g": ("MODEL,CLIP", {}),
        "i": ("*", {}),
    }
    assert declared["optional"] == {
        "b": ("STRING", {"display_name": "B", "multiline": True, "dynamicPrompts": True, "forceInput": True}),
        "f": ("OWN", {"own": 1}),
        "h": ("FLOAT,INT", {"default": 8.0}),
    }


METHOD = io.DynamicCombo.Input("method", options=[
    io.DynamicCombo.Option("plain", []),
    io.DynamicCombo.Option("sharp", [
        io.Float.Input("strength", default=0.5),
        io.DynamicCombo.Input("kernel", [io.DynamicCombo.Option("own", [io.Int.Input("size", optional=True)])]),
    ]),
])  # fmt: skip
IMAGES = io.Autogrow.Input(
    "images", io.Autogrow.TemplatePrefix(io.Image.Input("image"), prefix="image_", min=1, max=12)
)
VARIABLES = io.Autogrow.Input("vars", template=io.Autogrow.TemplateNames(io.Int.Input("v"), names=["a", "b"]))


def test_dynamic_inputs_say_what_they_bring() -> None:
    type, options = METHOD.as_classic()
    assert type == "COMFY_DYNAMICCOMBO_V3" and [each["key"] for each in options["options"]] == ["plain", "sharp"]
    assert options["options"][1]["inputs"]["required"]["strength"] == ("FLOAT", {"default": 0.5})
    type, options = IMAGES.as_classic()
    image = {"required": {"image": ("IMAGE", {})}, "optional": {}}
    assert (type, options) == (
        "COMFY_AUTOGROW_V3", {"template": {"input": image, "prefix": "image_", "min": 1, "max": 12}},
    )  # fmt: skip
    assert IMAGES.optional and not METHOD.optional


def test_values_with_dots_are_put_into_dicts() -> None:
    values = {
        "method": "sharp", "method.strength": 0.7, "method.kernel": "own", "method.kernel.size": 3,
        "images.image_10": "k", "images.image_2": "c", "vars.b": 2, "x": 1,
    }  # fmt: skip
    found = nested([METHOD, IMAGES, VARIABLES, io.Int.Input("x")], values)
    assert found == {
        "method": {"method": "sharp", "strength": 0.7, "kernel": {"kernel": "own", "size": 3}},
        "images": {"image_2": "c", "image_10": "k"},
        "vars": {"b": 2},
        "x": 1,
    }
    assert list(found["images"]) == ["image_2", "image_10"]
    assert nested([METHOD, IMAGES], {"method": "plain"}) == {"method": {"method": "plain"}, "images": {}}
