"""The parts that a checkpoint in the original layout is made of, found by the names of their tensors."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families import clip_text, ldm_unet, ldm_vae, open_clip
from nodes.models.families.checkpoint import Cut, Encoded, LatentFormat, Network, TextEncoder
from nodes.models.families.facts import Facts
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.recipes import Cond
    from nodes.sampling.noise_levels import NoiseLevels

UNET_PREFIXES = ("model.diffusion_model.", "")
UNET_PROBES = ("input_blocks.0.0.weight", "output_blocks.0.0.in_layers.0.weight")
DIFFUSERS_PROBES = (ldm_unet.DIFFUSERS, "up_blocks.0.resnets.0.norm1.weight", "conv_out.weight")
VAE_PREFIXES = ("first_stage_model.", "vae.", "")
VAE_PROBES = ("decoder.conv_in.weight", "encoder.conv_in.weight")
TEXT_PROBES = (clip_text.TOKENS, clip_text.POSITIONS, "encoder.layers.0.mlp.fc1.weight")

UNET_ADAPTERS = ("lora_unet_", "lycoris_", "oft_unet_", "unet.", "diffusion_model.", "model.diffusion_model.", "")
"""What LoRA files put before the name of a module of the UNet."""

TEXT_ADAPTERS = (
    "lora_te_text_model_", "lora_te1_text_model_", "text_encoder.text_model.", "text_encoder.", "text_model.",
)  # fmt: skip
"""What LoRA files put before the name of a module of the only, or the first, text encoder."""


def saved_adapters(name: str) -> tuple[str, ...]:
    """Return what LoRA files that were extracted from models put before the name of a module of a text encoder."""
    return f"text_encoders.clip_{name}.transformer.text_model.", f"text_encoders.clip_{name}.transformer."


GROUPS = 32
HEAD_WIDTH = 64
"""The width of a head of a text encoder, and of SDXL's UNet."""

SHORTEST = 16
"""The fewest positions that a text encoder can have: a group of tokens has to fit between begin and end."""


def prefix_of(weights: Weights, prefixes: Iterable[str], probes: Iterable[str]) -> str | None:
    """Return the first prefix under which all the probes are in the file."""
    probes = list(probes)
    return next((prefix for prefix in prefixes if all(prefix + probe in weights.infos for probe in probes)), None)


def under(weights: Weights, prefix: str) -> list[str]:
    """Return the names that begin with a prefix, without it."""
    return [name[len(prefix) :] for name in weights.infos if name.startswith(prefix)]


def shapes(weights: Weights, prefix: str, names: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Return shapes by the module's names, for names as ``diffusers_names`` gives them."""
    return {new: weights.shape(prefix + old) for new, old in names.items()}


def network(module: Any, config: Mapping[str, Any], names: Mapping[str, str], prefix: str, *adapters: str) -> Network:
    """Describe a network whose names in the file are those of ``names`` behind a prefix."""
    keys = {new: prefix + old for new, old in names.items()}
    originals = {} if module is clip_text else {new: old for old, new in module.original_names(names).items()}
    taken = {"channels": config.get("in_channels", 0), "context": config.get("cross_attention_dim", 0)}
    return Network(config, module.build, keys, prefix, adapters, originals=originals, **taken)


def unet_prefix(weights: Weights) -> str | None:
    """Return what the names of a UNet begin with, in the original layout or in diffusers'; None where there is none."""
    found = prefix_of(weights, UNET_PREFIXES, UNET_PROBES)
    return prefix_of(weights, ("",), DIFFUSERS_PROBES) if found is None else found


def has_vae(weights: Weights) -> bool:
    """Tell whether a file holds an autoencoder."""
    return prefix_of(weights, VAE_PREFIXES, VAE_PROBES) is not None


def has_text_encoder(weights: Weights) -> bool:
    """Tell whether a file holds a text encoder, in whichever layout."""
    return any(name.endswith(("token_embedding.weight", "shared.weight")) for name in weights.infos)


def vae(weights: Weights, facts: Facts) -> Network | None:
    """Return the autoencoder of a file."""
    prefix = prefix_of(weights, VAE_PREFIXES, VAE_PROBES)
    if prefix is None:
        return None
    names = ldm_vae.diffusers_names(under(weights, prefix))
    groups = facts.get("vae", "norm_num_groups", GROUPS)
    config = ldm_vae.config(shapes(weights, prefix, names), groups)
    must_divide(weights, "vae", "norm_num_groups", groups, config["block_out_channels"])
    return network(ldm_vae, config, names, prefix)


def latent_format(
    unet: Network | None, vae: Network | None, facts: Facts, family: LatentFormat, patch: int = 1
) -> LatentFormat:
    """Return the latent format: from the autoencoder, else from the UNet with the family's factor.

    A transformer gives the channels of all ``patch`` cells of a patch.

    Its space is the family's where the UNet says which family it is and the metadata states no scale of its own. An
    autoencoder alone looks the same in every family: its metadata tells, or nothing does.
    """
    channels = vae.config["latent_channels"] if vae else family.channels
    if unet and not vae:
        channels = unet.config["out_channels"] // patch
    factor = 2 ** (len(vae.config["block_out_channels"]) - 1) if vae else family.factor
    scale = float(facts.get("vae", "scaling_factor", family.scale))
    is_usual = unet is not None and (channels, scale) == (family.channels, family.scale)
    space = facts.space() if unet is None else family.space if is_usual else None
    return LatentFormat(channels, factor, scale, facts.rgb(channels, family.rgb), family.shift, space)


def clip_l(
    weights: Weights, prefixes: Iterable[str], facts: Facts, *, layer: int, final_norm: bool
) -> TextEncoder | None:
    """Return CLIP's own text encoder, in transformers' layout, or alone in its file in OpenCLIP's.

    Raises ModelError where it is another model of the same build.
    """
    prefix = prefix_of(weights, prefixes, TEXT_PROBES)
    cuts: Mapping[str, Cut] = {}
    if prefix is not None:
        names = {name: name for name in under(weights, prefix)}
    elif "" in prefixes and prefix_of(weights, ("",), open_clip.PROBES) is not None:
        prefix = ""
        names, cuts = open_clip.transformers_names(weights.infos)
    else:
        return None
    names = {new: old for new, old in names.items() if clip_text.TENSOR.fullmatch(new)}
    found = shapes(weights, prefix, names)
    heads = text_heads(weights, facts, found[clip_text.TOKENS][1])
    config = clip_text.config(found, heads, facts.get("text", "hidden_act", "quick_gelu"))
    made = network(clip_text, config, names, prefix, *TEXT_ADAPTERS, *saved_adapters("l"))
    made = replace(made, cuts=cuts)
    return encoder(weights, "l", made, pad=config["vocab_size"] - 1, layer=layer, final_norm=final_norm)


def text_heads(weights: Weights, facts: Facts, width: int) -> int:
    """Return how many heads a text encoder has. Raises ModelError where they do not divide its width."""
    heads: int = facts.get("text", "num_attention_heads", max(1, width // HEAD_WIDTH))
    must_divide(weights, "text", "num_attention_heads", heads, (width,))
    return heads


def encoder(
    weights: Weights, name: str, made: Network, *, pad: int, layer: int, final_norm: bool, pools: bool = False
) -> TextEncoder:
    """Describe a text encoder. Raises ModelError where the tokenizer has no use for its vocabulary or length."""
    vocabulary, length = made.config["vocab_size"], made.config["max_position_embeddings"]
    if not 514 <= vocabulary <= 49_408 or length < SHORTEST:
        raise ModelError(
            f"the text encoder of {weights.path.name} is not one of CLIP's",
            got=f"{vocabulary} tokens, {length} positions",
            expected=f"514 to 49408 tokens, at least {SHORTEST} positions",
        )
    return TextEncoder(name, made, vocabulary, length, made.config["hidden_size"], pad, layer, final_norm, pools)


def must_divide(weights: Weights, part: str, name: str, number: int, widths: Iterable[int]) -> None:
    """Raise ModelError where a number of heads or groups does not divide a width."""
    if number < 1 or any(width % number for width in widths):
        raise ModelError(
            f"the {part} of {weights.path.name} has widths that its {name} does not divide",
            got=f"{name} {number}",
            expected=f"a divisor of {', '.join(map(str, widths))}",
            hint="a model with unusual widths states its configuration in the metadata of the file",
        )


FACTORS = (".scale_weight", ".weight_scale")
"""How the names of factors of 8-bit matrices end."""


def with_factors(names: Mapping[str, str]) -> dict[str, str]:
    """Return names as ``diffusers_names`` gives them, with one name for the factors of 8-bit matrices.

    Factors of what goes into a matrix are left out: it is not rounded here.
    """
    found = {}
    for new, old in names.items():
        if new.endswith((".scale_input", ".input_scale", ".comfy_quant")):
            continue
        end = next((end for end in FACTORS if new.endswith(end)), "")
        found[new.removesuffix(end) + FACTORS[0] if end else new] = old
    return found


def side_by_side(outputs: Mapping[str, Encoded]) -> Encoded:
    """Return the contexts of encoders joined along the width, as long as the shortest, and the first pooled vector."""
    import torch

    shortest = min(context.shape[1] for context, _ in outputs.values())
    context = torch.cat([context[:, :shortest] for context, _ in outputs.values()], dim=-1)
    return Encoded(context, next((pooled for _, pooled in outputs.values() if pooled is not None), None))


def pooled(cond: "Cond", width: int) -> "Tensor":
    """Return the pooled vector of a prompt. Raises ModelError where it has none, or one of another width."""
    if cond.pooled is None or cond.pooled.shape[-1] != width:
        raise ModelError(
            "A prompt was encoded for another family of models.",
            got="no pooled vector" if cond.pooled is None else f"a pooled vector of width {cond.pooled.shape[-1]}",
            expected=f"a pooled vector of width {width}",
            hint="Encode it with the text encoders that belong to the model.",
        )
    vector: Tensor = cond.pooled
    return vector


def unprojected(encoder: TextEncoder) -> TextEncoder:
    """Return one of CLIP's encoders that pools and does not project what it pooled."""
    network = encoder.network
    keys = {name: key for name, key in network.keys.items() if name != clip_text.PROJECTION}
    config = {name: value for name, value in network.config.items() if name != "projection_dim"}
    return replace(encoder, network=replace(network, keys=keys, config=config), pools=True)


def unet_layout(unet: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return the tensors of a UNet in the original layout."""
    return {UNET_PREFIXES[0] + old: unet[new] for old, new in ldm_unet.original_names(unet).items()}


def vae_layout(vae: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return the tensors of an autoencoder in the original layout."""
    names = ldm_vae.original_names(vae).items()
    return {
        VAE_PREFIXES[0] + old: vae[new][:, :, None, None] if ldm_vae.is_pointwise(old) else vae[new]
        for old, new in names
    }


@cache
def levels() -> "NoiseLevels":
    """Return the noise levels of Stable Diffusion 1, 2 and XL."""
    from nodes.sampling.noise_levels import stable_diffusion

    return stable_diffusion()


@cache
def zero_terminal_levels() -> "NoiseLevels":
    """Return the same levels, stretched so that the last one holds no signal."""
    from nodes.sampling.noise_levels import stable_diffusion, zero_terminal_snr

    return zero_terminal_snr(stable_diffusion())
