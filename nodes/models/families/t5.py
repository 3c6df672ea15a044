"""T5's encoder (Raffel et al. 2020, arXiv 1910.10683; gated as in version 1.1): what Flux and SD3 read prompts with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families import components
from nodes.models.families.checkpoint import Checkpoint, Defaults, LatentFormat, Network, TextEncoder
from nodes.models.t5_tokenizer import PAD, VOCABULARY
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nodes.recipes import Cond

NAME = "t5xxl"
PREFIXES = ("text_encoders.t5xxl.transformer.", "")
TABLE, FINAL_NORM = "shared.weight", "encoder.final_layer_norm.weight"
FIRST = "encoder.block.0.layer.0.SelfAttention."
BIAS = f"{FIRST}relative_attention_bias.weight"
GATE = "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"

ADAPTERS = ("lora_te3_", "lora_te2_", "text_encoder_3.", "text_encoder_2.", f"text_encoders.{NAME}.transformer.")
"""What LoRA files put before the name of a module of T5."""

LENGTH = 77


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds that holds T5's encoder and nothing else, reading nothing but its header."""
    found = encoder(weights, LENGTH)
    if found is None:
        return None
    return Checkpoint(
        family=NAME,
        prediction="eps",
        levels=components.levels,
        latent=LatentFormat(0, 8, 1.0, ()),
        defaults=Defaults(512, 512, 20, 1.0),
        unet=None,
        vae=None,
        text=(found,),
        inputs=_inputs,
    )


def _inputs(cond: "Cond", shape: Any, is_negative: bool) -> Mapping[str, Any]:
    return {"context": cond.context}


def encoder(weights: Weights, length: int) -> TextEncoder | None:
    """Return T5's encoder of a file, which fills prompts to ``length`` tokens; None where there is none.

    Raises ModelError where it has another vocabulary, as those of mT5 and UMT5 have.
    """
    prefix = components.prefix_of(weights, PREFIXES, (TABLE, FINAL_NORM, BIAS, GATE))
    if prefix is None:
        return None
    names = {
        name.removeprefix("encoder."): name
        for name in components.under(weights, prefix)
        if name.startswith("encoder.") and "embed_tokens" not in name
    }
    names["embed_tokens.weight"] = TABLE
    keys = {new: prefix + old for new, old in components.with_factors(names).items()}
    shapes = {name: weights.shape(key) for name, key in keys.items()}
    rows, _ = shapes["embed_tokens.weight"]
    if rows != VOCABULARY:
        raise ModelError(
            f"{weights.path.name} holds a text encoder of T5's build with another vocabulary",
            got=f"{rows} tokens",
            expected=f"{VOCABULARY} tokens, as T5 of version 1.1 has",
            hint="choose a file of T5-XXL",
        )
    made = Network(config(shapes), build, keys, prefix, ADAPTERS, originals=names, keeps=True)
    return TextEncoder(NAME, made, VOCABULARY, length, made.config["d_model"], PAD, -1, True)


def config(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return transformers' config, read from shapes by the names of the stack."""
    vocabulary, width = shapes["embed_tokens.weight"]
    buckets, heads = shapes[BIAS.removeprefix("encoder.")]
    inner = shapes[f"{FIRST.removeprefix('encoder.')}q.weight"][0]
    return {
        "vocab_size": vocabulary,
        "d_model": width,
        "d_kv": inner // heads,
        "d_ff": shapes[GATE.removeprefix("encoder.")][0],
        "num_layers": len({name.split(".")[1] for name in shapes if name.startswith("block.")}),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
    }


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the encoder. transformers is imported here, because that takes seconds.

    Its gated layer casts what it gets to the dtype of a matrix, which may be kept in 8 bits; ours does not.
    """
    from torch import nn
    from torch.nn.functional import gelu
    from transformers.models.t5.configuration_t5 import T5Config
    from transformers.models.t5.modeling_t5 import T5EncoderModel

    class Gated(nn.Module):
        def __init__(self, width: int, inner: int) -> None:
            super().__init__()
            self.wi_0 = nn.Linear(width, inner, bias=False)
            self.wi_1 = nn.Linear(width, inner, bias=False)
            self.wo = nn.Linear(inner, width, bias=False)

        def forward(self, x: "Tensor") -> "Tensor":
            out: Tensor = self.wo(gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))
            return out

    whole = T5EncoderModel(T5Config(**config, feed_forward_proj="gated-gelu", use_cache=False))
    stack: nn.Module = whole.encoder
    for block in whole.encoder.block:
        block.layer[1].DenseReluDense = Gated(config["d_model"], config["d_ff"])
    return stack
