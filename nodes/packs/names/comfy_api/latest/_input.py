"""Names for the values of inputs, for packs that are typed: ``comfy_api.input``."""

from typing import Any, TypedDict

from torch import Tensor

from nodes.packs.names.placeholders import members_of

__getattr__ = members_of("comfy_api.input")

ImageInput = Tensor
MaskInput = Tensor
LatentInput = dict[str, Any]


class AudioInput(TypedDict):
    """A sound: ``waveform`` (batch, channels, samples), and samples per second."""

    waveform: Tensor
    sample_rate: int
