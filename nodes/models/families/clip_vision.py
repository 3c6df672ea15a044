"""CLIP's image encoders (Radford et al. 2021; Ilharco et al. 2021) in transformers' layout and in OpenCLIP's."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families import open_clip
from nodes.models.families.checkpoint import Cut, Network
from nodes.models.families.facts import Facts
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import nn

ROOTS = ("vision_model.", "visual_projection.")
CLASS = "vision_model.embeddings.class_embedding"
PATCHES = "vision_model.embeddings.patch_embedding.weight"
POSITIONS = "vision_model.embeddings.position_embedding.weight"
PROJECTION = "visual_projection.weight"
FIRST_LAYER = "vision_model.encoder.layers.0.mlp.fc1.weight"

PREFIXES = ("", "embedder.model.visual.", "visual.", "model.visual.")
"""What names begin with in OpenCLIP's layout: alone in a file, in an unCLIP checkpoint, and beside a text encoder."""

OUTER: Mapping[str, str] = {
    "class_embedding": CLASS,
    "conv1.weight": PATCHES,
    "positional_embedding": POSITIONS,
    "ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "ln_post.weight": "vision_model.post_layernorm.weight",
    "ln_post.bias": "vision_model.post_layernorm.bias",
    "proj": PROJECTION,
}
"""Tensors outside the layers: OpenCLIP -> transformers."""

OPENAI_LAYERS = 24
"""Encoders of as many layers or fewer are OpenAI's, with quick_gelu; larger ones are OpenCLIP's, with gelu."""

HEADS, HEAD_WIDTH = 16, 64


def detect(weights: Weights) -> Network:
    """Return the network of an image encoder, reading nothing but the header. Raises ModelError where there is none."""
    if CLASS in weights.infos:
        keys = {name: name for name in weights.infos if name.startswith(ROOTS) and not name.endswith("position_ids")}
        return _network(weights, keys, {}, "")
    for prefix in PREFIXES:
        if prefix + "class_embedding" in weights.infos and prefix + "conv1.weight" in weights.infos:
            names, cuts = _transformers_names(name[len(prefix) :] for name in weights.infos if name.startswith(prefix))
            return _network(weights, {new: prefix + old for new, old in names.items()}, cuts, prefix)
    raise ModelError(
        f"{weights.path.name} is not a CLIP image encoder",
        got=", ".join([*weights.infos][:3]) or "no tensors",
        expected="an image encoder in transformers' or OpenCLIP's layout",
    )


def _network(weights: Weights, keys: Mapping[str, str], cuts: Mapping[str, Cut], prefix: str) -> Network:
    bare = Network({}, build, keys, prefix, (), cuts)
    missing = [name for name in (PATCHES, POSITIONS, PROJECTION, FIRST_LAYER) if name not in keys]
    if missing:
        raise ModelError(
            f"{weights.path.name} lacks a part of an image encoder",
            got=f"no {', '.join(missing)}",
            expected="a whole image encoder with its projection",
        )
    shapes = {name: bare.shape(weights, name) for name in keys}
    return Network(_config(shapes, Facts(weights.metadata)), build, keys, prefix, (), cuts)


def _config(shapes: Mapping[str, tuple[int, ...]], facts: Facts) -> dict[str, Any]:
    """Return transformers' config, read from shapes; heads and activation are those of the known encoders."""
    (width,), patch = shapes[CLASS], shapes[PATCHES][-1]
    layers = len({name.split(".")[3] for name in shapes if name.startswith("vision_model.encoder.layers.")})
    heads = HEADS if width >= HEADS * HEAD_WIDTH else max(1, width // HEAD_WIDTH)
    return {
        "hidden_size": width,
        "intermediate_size": shapes[FIRST_LAYER][0],
        "num_hidden_layers": layers,
        "num_attention_heads": facts.get("vision", "num_attention_heads", heads),
        "image_size": patch * round((shapes[POSITIONS][0] - 1) ** 0.5),
        "patch_size": patch,
        "projection_dim": shapes[PROJECTION][0],
        "hidden_act": "quick_gelu" if layers <= OPENAI_LAYERS else "gelu",
    }


def _transformers_names(names: Iterable[str]) -> tuple[dict[str, str], dict[str, Cut]]:
    found, cuts = {}, {PROJECTION: Cut(is_transposed=True)}
    for name in names:
        if name in OUTER:
            found[OUTER[name]] = name
        elif name.startswith(open_clip.LAYERS):
            layer, _, rest = name[len(open_clip.LAYERS) :].partition(".")
            for new, cut in open_clip.in_layer(rest):
                found[f"vision_model.encoder.layers.{layer}.{new}"] = name
                if cut:
                    cuts[f"vision_model.encoder.layers.{layer}.{new}"] = cut
    return found, cuts


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the encoder. transformers is imported here, because that takes seconds."""
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

    module: nn.Module = CLIPVisionModelWithProjection(CLIPVisionConfig(**config))
    return module
