"""A pack in the newer interface: schemas, and an extension that lists the nodes."""

from comfy_api.latest import ComfyExtension, io, ui
from comfy_execution.graph_utils import GraphBuilder


class Add(io.ComfyNode):
    """Adds."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewerAdd",
            display_name="Add",
            category="newer",
            description="Add two numbers.",
            inputs=[
                io.Int.Input("a", default=1, min=0, max=9),
                io.Float.Input("b", optional=True),
                io.Combo.Input("unit", options=["m", "s"], default="m"),
            ],
            outputs=[io.Float.Output(display_name="sum"), io.String.Output()],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, unit):
        return True if unit in ("m", "s", "kg") else f"{unit} is no unit."

    @classmethod
    def execute(cls, a, unit, b=0.5):
        return io.NodeOutput(a + b, f"{unit} {cls.hidden.unique_id}")


class Pick(io.ComfyNode):
    """Makes what it needs."""

    @classmethod
    def define_schema(cls):
        template = io.MatchType.Template("any")
        return io.Schema(
            node_id="NewerPick",
            inputs=[
                io.Boolean.Input("first"),
                io.MatchType.Input("a", template=template, lazy=True),
                io.MatchType.Input("b", template=template, lazy=True),
            ],
            outputs=[io.MatchType.Output(template=template)],
        )

    @classmethod
    def check_lazy_status(cls, first, a=None, b=None):
        name, value = ("a", a) if first else ("b", b)
        return [name] if value is None else []

    @classmethod
    def execute(cls, first, a=None, b=None):
        return io.NodeOutput(a if first else b)


class Grow(io.ComfyNode):
    """Has as many inputs as it is given, and a choice that brings one."""

    @classmethod
    def define_schema(cls):
        names = io.Autogrow.TemplateNames(input=io.Int.Input("n"), names=["x", "y", "z"], min=1)
        modes = [
            io.DynamicCombo.Option("plain", []),
            io.DynamicCombo.Option("times", [io.Int.Input("factor", default=2)]),
        ]
        return io.Schema(
            node_id="NewerGrow",
            inputs=[io.Autogrow.Input("of", template=names), io.DynamicCombo.Input("mode", options=modes)],
            outputs=[io.Int.Output()],
        )

    @classmethod
    def execute(cls, of, mode):
        return io.NodeOutput(sum(of.values()) * mode.get("factor", 1))


class Show(io.ComfyNode):
    """Shows a text, and lets nothing through that is empty."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewerShow",
            is_output_node=True,
            inputs=[io.String.Input("text", force_input=True)],
            outputs=[io.String.Output()],
        )

    @classmethod
    def fingerprint_inputs(cls, text):
        return "always the same"

    @classmethod
    async def execute(cls, text):
        if not text:
            return io.NodeOutput(block_execution="nothing to show")
        return io.NodeOutput(text, ui=ui.PreviewText(text))


class Repeat(io.ComfyNode):
    """Stands for nodes, a list of texts in and out."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewerRepeat",
            is_input_list=True,
            enable_expand=True,
            inputs=[io.String.Input("texts")],
            outputs=[io.String.Output(), io.String.Output(is_output_list=True)],
        )

    @classmethod
    def execute(cls, texts):
        graph = GraphBuilder()
        shown = graph.node("NewerShow", text="+".join(texts))
        return io.NodeOutput(shown.out(0), texts * 2, expand=graph.finalize())


class Extension(ComfyExtension):
    async def get_node_list(self):
        return [Add, Pick, Grow, Show, Repeat]


async def comfy_entrypoint():
    return Extension()
