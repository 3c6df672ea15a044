"""Lazy inputs, graphs that take a node's place, blocks."""

from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder

from .values import AnyType, Box


class Choose:
    """Makes only what it needs."""

    RETURN_TYPES = (AnyType("*"),)
    FUNCTION = "choose"

    @classmethod
    def INPUT_TYPES(s):
        lazy = (AnyType("*"), {"lazy": True})
        return {"required": {"first": ("BOOLEAN", {"default": True}), "a": lazy}, "optional": {"b": lazy}}

    def check_lazy_status(self, first, a=None, b=None):
        if first:
            return ["a"] if a is None else []
        return ["b"] if b is None else []

    def choose(self, first, a=None, b="nothing"):
        return (a if first else b,)


class Twice:
    """Stands for two nodes."""

    RETURN_TYPES = ("STRING", "BOX")
    FUNCTION = "twice"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {})}}

    def twice(self, text):
        graph = GraphBuilder()
        one = graph.node("Shout", text=text, times=1)
        two = graph.node("Shout", text=one.out(0), times=2, mark="?")
        out = graph.node("TakeOut", box=Box("kept"))
        graph.node("PutIn", content=out.out(0))
        return {"result": (two.out(0), graph.node("PutIn", content=out.out(0)).out(0)), "expand": graph.finalize()}


class CountDown:
    """A loop: stands for itself with one less."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "count"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"left": ("INT", {}), "sum": ("INT", {"default": 0})}}

    def count(self, left, sum):
        if left == 0:
            return (sum,)
        graph = GraphBuilder()
        return {"result": (graph.node("CountDown", left=left - 1, sum=sum + left).out(0),), "expand": graph.finalize()}


class Gate:
    """Lets nothing through when it is closed."""

    RETURN_TYPES = ("STRING", "STRING")
    FUNCTION = "pass_on"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {}), "open": ("BOOLEAN", {"default": True})}}

    def pass_on(self, text, open):
        return (text if open else ExecutionBlocker("closed"), text)


class Copied:
    """Copies the node that it is linked to, with another text: it sees the graph, not a value."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "copy"

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"of": ("STRING", {"rawLink": True}), "times": ("INT", {"default": 1})},
            "hidden": {"graph": "DYNPROMPT", "id": "UNIQUE_ID"},
        }

    def copy(self, of, times, graph, id):
        original = graph.get_node(of[0])
        builder = GraphBuilder()
        made = builder.node(
            original["class_type"], **{**original["inputs"], "text": f"{original['inputs']['text']}{times}"}
        )
        out = made.out(of[1])
        if times > 1:
            again = builder.node("Copied", of=out, times=times - 1)
            out = again.out(0)
        return {"result": (out,), "expand": builder.finalize()}


MAPPINGS = {"Copied": Copied, "ChooseLazily": Choose, "Twice": Twice, "CountDown": CountDown, "Gate": Gate}
