import pytest

from nodes.packs.names.comfy import comfy_types
from nodes.packs.names.comfy.comfy_types.node_typing import IO, CheckLazyMixin, ComfyNodeABC, InputTypeDict


def test_types_differ_where_they_have_nothing_in_common() -> None:
    assert not IO.ANY != "IMAGE" and not IO.NUMBER != "INT" and not IO.INT != "FLOAT,INT"  # noqa: SIM202
    assert IO.INT != "STRING" and IO.INT != 3 and IO.IMAGE == "IMAGE" and f"{IO.IMAGE}" == "IMAGE"


def test_a_typed_node_declares_what_any_other_does() -> None:
    class Own(CheckLazyMixin, ComfyNodeABC):
        RETURN_TYPES = (IO.INT,)

        @classmethod
        def INPUT_TYPES(cls) -> InputTypeDict:
            return {"required": {"a": (IO.INT, {"default": 1, "lazy": True})}}

    assert Own().check_lazy_status(a=None, b=1) == ["a"]
    assert comfy_types.IO is IO
    with pytest.raises(TypeError):
        type("Untyped", (ComfyNodeABC,), {})()
