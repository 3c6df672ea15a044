"""Newer nodes: what classic code sees of them, and what their calls get and give."""

import asyncio
import inspect
from typing import Any

import pytest

from nodes.packs.names.comfy_api.latest import io, ui
from nodes.packs.names.comfy_execution.graph import ExecutionBlocker


class Add(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Own_Add",
            display_name="Add",
            category="math",
            description="Adds.",
            inputs=[io.Int.Input("a", default=1), io.Int.Input("b", optional=True)],
            outputs=[io.Int.Output("sum"), io.String.Output(display_name="text", is_output_list=True)],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
            search_aliases=["plus"],
            something_new=3,
        )

    @classmethod
    def validate_inputs(cls, a: int) -> bool | str:
        return a < 10 or "too large"

    @classmethod
    def fingerprint_inputs(cls, **kwargs: Any) -> str:
        return "same"

    @classmethod
    def execute(cls, a: int, b: int = 0) -> io.NodeOutput:
        return io.NodeOutput(a + b, [str(cls.hidden.unique_id), str(cls.hidden.dynprompt)], ui=ui.PreviewText("done"))


def run(cls: Any, **given: Any) -> Any:
    return getattr(cls(), cls.FUNCTION)(**given)


def test_a_class_declares_what_classic_classes_do() -> None:
    assert Add.GET_SCHEMA().node_id == "Own_Add" and Add.GET_SCHEMA().display_name == "Add"
    assert Add.INPUT_TYPES() == {
        "required": {"a": ("INT", {"default": 1})},
        "optional": {"b": ("INT", {})},
        "hidden": {"unique_id": "UNIQUE_ID", "prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
    }
    assert Add.RETURN_TYPES == ("INT", "STRING") and Add.RETURN_NAMES == ("sum", "text")
    assert Add.OUTPUT_IS_LIST == (False, True) and Add.OUTPUT_NODE is True and Add.CATEGORY == "math"
    assert Add.SEARCH_ALIASES == ["plus"] and Add.INPUT_IS_LIST is False
    assert Add.VALIDATE_INPUTS(12) == "too large" and Add.IS_CHANGED(a=1) == "same"
    assert list(inspect.signature(Add.EXECUTE_NORMALIZED).parameters) == ["a", "b"]
    assert not inspect.iscoroutinefunction(Add.EXECUTE_NORMALIZED)


def test_a_call_gets_its_hidden_inputs_on_a_class_of_its_own() -> None:
    found = run(Add, a=2, b=3, unique_id="7", prompt={}, extra_pnginfo={})
    assert found == {"ui": {"text": ("done",)}, "result": (5, ["7", "None"])}
    assert Add.hidden.unique_id is None


class Plain(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("Plain", inputs=[io.Int.Input("a", lazy=True)], outputs=[io.Int.Output()])

    @classmethod
    async def execute(cls, a: int) -> io.NodeOutput:
        await asyncio.sleep(0)
        return io.NodeOutput(a)


class Later(Plain):
    @classmethod
    async def execute(cls, a: int) -> io.NodeOutput:
        return io.NodeOutput((await super().execute(a))[0] + 1)


def test_what_a_class_does_not_have_is_not_there() -> None:
    assert not hasattr(Plain, "VALIDATE_INPUTS") and not hasattr(Plain, "IS_CHANGED") and not hasattr(Plain, "other")
    assert Plain.check_lazy_status(a=None, b=1) == ["a"]
    assert Plain.RETURN_NAMES == ("INT",) and Plain.INPUT_TYPES()["hidden"] == {}
    with pytest.raises(NotImplementedError):
        type("Empty", (io.ComfyNode,), {}).GET_SCHEMA()  # type: ignore[attr-defined]


def test_a_call_may_be_asynchronous_and_call_that_of_its_base() -> None:
    assert Plain.FUNCTION == Later.FUNCTION == "EXECUTE_NORMALIZED_ASYNC"
    assert inspect.iscoroutinefunction(getattr(Later, Later.FUNCTION))
    assert asyncio.run(run(Plain, a=1)) == {"result": (1,)}
    assert asyncio.run(run(Later, a=1)) == {"result": (2,)}


def test_a_node_with_dynamic_inputs_takes_any_name() -> None:
    class Own(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            template = io.Autogrow.TemplatePrefix(io.Int.Input("n"), prefix="n", min=1, max=3)
            return io.Schema("Own", inputs=[io.Autogrow.Input("group", template=template)], outputs=[])

        @classmethod
        def execute(cls, group: dict[str, int]) -> tuple[int]:
            return (sum(group.values()),)

    assert run(Own, **{"group.n0": 1, "group.n1": 2}) == (3,)
    assert "anything" in Own.INPUT_TYPES()["optional"] and list(Own.INPUT_TYPES()["optional"]) == ["group"]


def test_hidden_inputs_of_a_node_that_takes_lists_are_no_lists() -> None:
    class Own(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            inputs = [io.Int.Input("a")]
            return io.Schema("Own", inputs=inputs, hidden=[io.Hidden.unique_id], is_input_list=True)

        @classmethod
        def execute(cls, a: list[int]) -> io.NodeOutput:
            return io.NodeOutput(a, cls.hidden.unique_id)

    assert run(Own, a=[1, 2], unique_id=["7"]) == {"result": ([1, 2], "7")}


def test_an_output_may_be_a_graph_or_a_blocker() -> None:
    graph = {"1": {"class_type": "A", "inputs": {}}}
    assert io.NodeOutput(["1", 0], expand=graph).as_classic() == {"result": (["1", 0],), "expand": graph}
    assert io.NodeOutput(block_execution="why").as_classic() == {"result": ExecutionBlocker("why")}
    assert io.NodeOutput.from_dict({"ui": {"a": [1]}, "result": (1,)}).as_classic() == {
        "ui": {"a": [1]},
        "result": (1,),
    }
    assert io.NodeOutput().result is None and io.NodeOutput(4).result == (4,) and io.NodeOutput(4)[0] == 4
