"""The types of the newer interface, and all that its nodes are made of: ``comfy_api.latest.io``."""

from enum import StrEnum
from functools import cache
from typing import Any

from nodes.packs.names.comfy_api.latest import _inputs
from nodes.packs.names.comfy_api.latest._inputs import Input, Output, WidgetInput, typed
from nodes.packs.names.comfy_api.latest._node import ComfyNode, Hidden, HiddenHolder, NodeOutput, Schema
from nodes.packs.names.placeholders import members_of

__all__ = [
    "Autogrow", "Combo", "ComfyNode", "ComfyType", "ControlAfterGenerate", "Custom", "DynamicCombo", "FolderType",
    "Hidden", "HiddenHolder", "Input", "MatchType", "MultiCombo", "MultiType", "NodeOutput", "NumberDisplay", "Output",
    "RemoteOptions", "Schema", "UploadType",
]  # fmt: skip

TYPES = {
    "AnyType": "*", "Accumulation": "ACCUMULATION", "Audio": "AUDIO", "AudioEncoder": "AUDIO_ENCODER",
    "AudioEncoderOutput": "AUDIO_ENCODER_OUTPUT", "BBOX": "BBOX", "Boolean": "BOOLEAN", "BoundingBox": "BOUNDING_BOX",
    "Clip": "CLIP", "ClipVision": "CLIP_VISION", "ClipVisionOutput": "CLIP_VISION_OUTPUT", "Color": "COLOR",
    "Conditioning": "CONDITIONING", "ControlNet": "CONTROL_NET", "Curve": "CURVE", "FaceAnalysis": "FACE_ANALYSIS",
    "Float": "FLOAT", "FlowControl": "FLOW_CONTROL", "Gligen": "GLIGEN", "Guider": "GUIDER",
    "HookKeyframes": "HOOK_KEYFRAMES", "Hooks": "HOOKS", "Image": "IMAGE", "Int": "INT", "Latent": "LATENT",
    "LatentOperation": "LATENT_OPERATION", "LatentUpscaleModel": "LATENT_UPSCALE_MODEL", "Load3D": "LOAD_3D",
    "Load3DAnimation": "LOAD_3D_ANIMATION", "Load3DCamera": "LOAD3D_CAMERA", "LoraModel": "LORA_MODEL",
    "LossMap": "LOSS_MAP", "Mask": "MASK", "Mesh": "MESH", "Model": "MODEL", "ModelPatch": "MODEL_PATCH",
    "Noise": "NOISE", "Photomaker": "PHOTOMAKER", "Point": "POINT", "SEGS": "SEGS", "SVG": "SVG", "Sampler": "SAMPLER",
    "Sigmas": "SIGMAS", "String": "STRING", "StyleModel": "STYLE_MODEL", "TimestepsRange": "TIMESTEPS_RANGE",
    "Tracks": "TRACKS", "UpscaleModel": "UPSCALE_MODEL", "Vae": "VAE", "Video": "VIDEO", "Voxel": "VOXEL",
    "WanCameraEmbedding": "WAN_CAMERA_EMBEDDING", "Webcam": "WEBCAM",
}  # fmt: skip
"""The types that need no more than a name."""

_placeholder = members_of("comfy_api.latest.io")


def __getattr__(name: str) -> Any:
    return Custom(TYPES[name]) if name in TYPES else _placeholder(name)


class ComfyType:
    """A type: ``Input`` and ``Output`` make those of nodes, ``Type`` is for type hints."""

    io_type: str
    Type = Any
    Input: Any
    Output: Any


@cache
def Custom(io_type: str) -> Any:
    """Return the type of a name."""
    made = {"io_type": io_type, "Input": typed(WidgetInput, io_type), "Output": typed(Output, io_type)}
    return type(io_type, (ComfyType,), made)


class Combo(ComfyType):
    """A choice of a list."""

    io_type = "COMBO"
    Input = _inputs.ComboInput
    Output = typed(Output, "COMBO")


class MultiCombo(ComfyType):
    """Several choices of a list."""

    io_type = "COMBO"
    Input = _inputs.MultiComboInput


class MultiType(ComfyType):
    """One of several types."""

    io_type = "*"
    Input = _inputs.MultiTypeInput


class MatchType(ComfyType):
    """A type that inputs and outputs share."""

    io_type = "*"
    Template = _inputs.MatchTemplate
    Input = _inputs.MatchTypeInput
    Output = _inputs.MatchTypeOutput


class DynamicCombo(ComfyType):
    """A choice whose options bring inputs."""

    io_type = _inputs.DynamicComboInput.io_type
    Option = _inputs.ComboOption
    Input = _inputs.DynamicComboInput


class Autogrow(ComfyType):
    """A group of inputs that grows."""

    io_type = _inputs.AutogrowInput.io_type
    TemplatePrefix = staticmethod(_inputs.template_prefix)
    TemplateNames = staticmethod(_inputs.template_names)
    Input = _inputs.AutogrowInput


class FolderType(StrEnum):
    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class NumberDisplay(StrEnum):
    number = "number"
    slider = "slider"
    gradient_slider = "gradientslider"


class ControlAfterGenerate(StrEnum):
    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


class RemoteOptions:
    """Where an editor asks for the choices of an input."""

    def __init__(self, route: str, refresh_button: bool, **options: Any) -> None:
        self.options = {"route": route, "refresh_button": refresh_button, **options}

    def as_dict(self) -> dict[str, Any]:
        """Return what is given of the options."""
        return {name: value for name, value in self.options.items() if value is not None}
