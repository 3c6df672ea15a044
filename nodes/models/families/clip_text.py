"""CLIP's text encoder (Radford et al. 2021) as transformers names it: config from shapes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]

TOKENS = "embeddings.token_embedding.weight"
POSITIONS = "embeddings.position_embedding.weight"


def config(shapes: Shapes, heads: int, activation: str) -> dict[str, Any]:
    """Return transformers' config, read from shapes. ``heads`` and ``activation`` are what no shape tells."""
    vocabulary, width = shapes[TOKENS]
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
    }


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the encoder. transformers 4 wraps it once more than transformers 5 does."""
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**config))
    module: nn.Module = getattr(model, "text_model", model)
    return module
