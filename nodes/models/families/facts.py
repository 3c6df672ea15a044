"""What the metadata of a file says where no shape tells; a family's own value stands in for what it leaves out.

``config``  JSON: ``unet`` {attention_head_dim, norm_num_groups}, ``vae`` {norm_num_groups, scaling_factor},
            ``text`` {num_attention_heads, hidden_act}, ``sampling`` {steps, cfg}, ``preview`` [[r, g, b] per channel]
``modelspec.prediction_type``, ``modelspec.resolution``, ``modelspec.architecture``  as in the Stability AI model
            metadata standard
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from nodes.models.families.checkpoint import Defaults, Prediction

Colours = tuple[tuple[float, float, float], ...]

PREDICTION = "modelspec.prediction_type"

ARCHITECTURES: tuple[tuple[str, str], ...] = (
    ("stable-diffusion-xl", "sdxl"),
    ("stable-diffusion-v1", "sd1"),
    ("stable-diffusion-v2", "sd1"),
)
"""How ``modelspec.architecture`` begins -> whose latents such a model has."""

PREDICTIONS: Mapping[str, Prediction] = {
    "eps": "eps",
    "epsilon": "eps",
    "v": "v",
    "v_prediction": "v",
    "v-prediction": "v",
}


class Facts:
    """What the metadata of a file says, with what a family gives for it to say where it is silent."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        self.metadata = metadata
        try:
            config = json.loads(metadata.get("config", "{}"))
        except ValueError:
            config = {}
        self.config: Mapping[str, Any] = config if isinstance(config, dict) else {}

    def get(self, part: str, name: str, default: Any) -> Any:
        """Return a fact of the same type as its default, which stands in where the file says nothing usable."""
        section = self.config.get(part)
        value = section.get(name) if isinstance(section, dict) else None
        kinds = (int, float) if isinstance(default, float) else type(default)
        return value if isinstance(value, kinds) and not isinstance(value, bool) else default

    def prediction(self, is_marked: bool) -> Prediction:
        """Return what a network predicts. A marker key in the file outweighs its metadata."""
        named = self.metadata.get(PREDICTION, "eps")
        return "v" if is_marked else PREDICTIONS.get(named.lower(), "eps")

    def space(self) -> str | None:
        """Return whose latents these are, where the metadata says for which architecture a file is."""
        named = self.metadata.get("modelspec.architecture", "")
        return next((space for start, space in ARCHITECTURES if named.startswith(start)), None)

    def defaults(self, family: Defaults) -> Defaults:
        size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", self.metadata.get("modelspec.resolution", ""))
        width, height = (int(size[1]), int(size[2])) if size else (family.width, family.height)
        steps, cfg = self.get("sampling", "steps", family.steps), self.get("sampling", "cfg", family.cfg)
        return Defaults(width, height, steps, float(cfg))

    def rgb(self, channels: int, family: Colours) -> Colours:
        """Return the preview matrix; without one, grey from every channel where the channels are not the family's."""
        try:
            rows = tuple((float(r), float(g), float(b)) for r, g, b in self.config["preview"])
        except (KeyError, TypeError, ValueError):
            rows = ()
        if len(rows) == channels:
            return rows
        return family if channels == len(family) else ((1 / channels,) * 3,) * channels
