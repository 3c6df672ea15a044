"""CLIP's text encoder (Radford et al. 2021) as transformers names it: config from shapes."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]

TOKENS = "embeddings.token_embedding.weight"
POSITIONS = "embeddings.position_embedding.weight"
PROJECTION = "text_projection.weight"
"""The last layer of the pooled vector, in those encoders that have it."""

TENSOR = re.compile(
    r"embeddings\.(token|position)_embedding\.weight|text_projection\.weight|(final_layer_norm|encoder\.layers\.\d+\.("
    r"layer_norm[12]|self_attn\.(q|k|v|out)_proj|mlp\.fc[12]))\.(weight|bias)"
)
"""The names that an encoder's tensors can have."""


def config(shapes: Shapes, heads: int, activation: str) -> dict[str, Any]:
    """Return transformers' config, read from shapes. ``heads`` and ``activation`` are what no shape tells."""
    vocabulary, width = shapes[TOKENS]
    projection = {"projection_dim": shapes[PROJECTION][0]} if PROJECTION in shapes else {}
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shapes["encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": len({name.split(".")[2] for name in shapes if name.startswith("encoder.layers.")}),
        "num_attention_heads": heads,
        "max_position_embeddings": shapes[POSITIONS][0],
        "hidden_act": activation,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
        **projection,
    }


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the encoder. transformers 4 wraps it once more than transformers 5 does.

    The projection, where the config has one, is held by the module and applied by its caller.
    """
    from torch import nn
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**config))
    module: nn.Module = getattr(model, "text_model", model)
    if "projection_dim" in config:
        module.text_projection = nn.Linear(config["hidden_size"], config["projection_dim"], bias=False)
    return module
