"""Nodes that use what packs import of ComfyUI."""

import os

import comfy.utils
import folder_paths
from comfy_api.latest import io

import nodes
from nodes import MAX_RESOLUTION, SaveImage
from server import PromptServer


class Resize:
    RETURN_TYPES = ("IMAGE", "STRING")
    FUNCTION = "resize"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "side": ("INT", {"default": 4, "min": 1, "max": MAX_RESOLUTION})}}

    def resize(self, image, side):
        bar = comfy.utils.ProgressBar(2)
        small = comfy.utils.common_upscale(image.movedim(-1, 1), side, side, "area", "center").movedim(1, -1)
        bar.update(1)
        (inverted,) = nodes.NODE_CLASS_MAPPINGS["ImageInvert"]().invert(small)
        bar.update(1)
        PromptServer.instance.send_sync("asking.resized", {"side": side})
        return inverted, os.path.basename(folder_paths.get_output_directory())


class Keep(SaveImage):
    FUNCTION = "keep"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}, "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}}

    def keep(self, image, prompt=None, extra_pnginfo=None):
        return self.save_images(image, "kept", prompt, extra_pnginfo)


class Stop:
    RETURN_TYPES = ("INT",)
    FUNCTION = "stop"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 1})}}

    def stop(self, value):
        if value > 1:
            nodes.interrupt_processing()
        return (value,)


class Hides:
    VERSION = "1.2"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "hide"

    @classmethod
    def INPUT_TYPES(cls):
        hidden = {"node": "UNIQUE_ID", "key": "API_KEY_COMFY_ORG", "version": cls.VERSION}
        return {"required": {}, "hidden": hidden}

    def hide(self, **given):
        return (repr(given),)


class Choose(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        named = io.Autogrow.TemplatePrefix(io.Int.Input("number"), prefix="number", min=1, max=4)
        return io.Schema(
            node_id="Choose",
            inputs=[
                io.DynamicCombo.Input("how", options=[
                    io.DynamicCombo.Option("first", []),
                    io.DynamicCombo.Option("times", [io.Int.Input("factor", default=2)]),
                ]),
                io.Autogrow.Input("numbers", template=named),
            ],
            outputs=[io.Int.Output("chosen"), io.String.Output("of")],
            hidden=[io.Hidden.unique_id],
        )  # fmt: skip

    @classmethod
    def execute(cls, how, numbers):
        factor = how["factor"] if how["how"] == "times" else 1
        return io.NodeOutput(next(iter(numbers.values())) * factor, f"{cls.hidden.unique_id}: {len(numbers)}")


NODE_CLASS_MAPPINGS = {"Resize": Resize, "Keep": Keep, "Stop": Stop, "Hides": Hides, "Choose": Choose}
