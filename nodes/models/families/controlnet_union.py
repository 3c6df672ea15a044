"""Union ControlNets: one network for several types of pictures. Their tensors beside those of a plain ControlNet."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

ENCODER = "controlnet_cond_embedding."
NAMES: Mapping[str, str] = {
    "task_embedding": f"{ENCODER}task_embedding",
    "transformer_layes.": f"{ENCODER}transformer_layes.",
    "spatial_ch_projs.": f"{ENCODER}spatial_ch_projs.",
    "control_add_embedding.": "class_embedding.",
}
"""What names begin with in files, in any layout -> in the module."""

TYPES = (
    "openpose", "depth", "hed/pidi/scribble/ted", "canny/lineart/anime_lineart/mlsd", "normal", "segment", "tile",
    "repaint",
)  # fmt: skip
"""The types in the order that the networks have. Those for fewer have the first ones."""


def names(found: Iterable[str]) -> dict[str, str]:
    """Return the name in the module -> in the file, for those that only a union ControlNet has."""
    return {new + name.removeprefix(old): name for name in found for old, new in NAMES.items() if name.startswith(old)}


def config(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return what ``build`` needs besides the config of a plain ControlNet."""
    types, _ = shapes[NAMES["task_embedding"]]
    layers = {name.split(".")[2] for name in shapes if name.startswith(NAMES["transformer_layes."])}
    return {"control_types": types, "transformer_layers": len(layers)}


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the network. diffusers is imported here, because that takes seconds."""
    from nodes.models import union

    return union.build(config)
