import pytest

from engine.errors import NodeFailure
from nodes.packs.names.comfy_api.latest import io


def test_types_are_known_by_name() -> None:
    assert io.Image.io_type == "IMAGE" and io.Image is io.Custom("IMAGE") is io.Image
    assert io.Vae.Output("vae").io_type == "VAE" and io.Combo.Output("c").io_type == "COMBO"
    assert io.LoraModel.Input("l").io_type == "LORA_MODEL"
    template = io.MatchType.Template("any", [io.Image, io.Mask])
    assert io.MatchType.Input("m", template=template).io_type == "*"
    assert io.MatchType.Output(template, display_name="out").name == "out"


def test_what_is_not_there_is_a_placeholder() -> None:
    with pytest.raises(NodeFailure, match=r"comfy_api\.latest\.io\.SomethingNew"):
        io.SomethingNew.Input("x")
