"""Stable Diffusion 1.x and everything built like it: an LDM UNet with a CLIP text encoder and a KL autoencoder.

Widths, depths, places of attention, channels and the vocabulary are read from shapes. What no shape tells (heads, norm
groups, prediction, latent scale, sizes to ask for) is read from the file's metadata, else it is as in SD 1.5. Metadata:

``config``  JSON: ``unet`` {attention_head_dim, norm_num_groups}, ``vae`` {norm_num_groups, scaling_factor},
            ``text`` {num_attention_heads, hidden_act}, ``sampling`` {steps, cfg}, ``preview`` [[r, g, b] per channel]
``modelspec.prediction_type``, ``modelspec.resolution``  as in the Stability AI model metadata standard
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families import clip_text, ldm_unet, ldm_vae
from nodes.models.families.checkpoint import Checkpoint, Defaults, LatentFormat, Network, Prediction, TextEncoder
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

NAME = "sd1"
UNET_PREFIXES = ("model.diffusion_model.", "")
VAE_PREFIXES = ("first_stage_model.", "")
TEXT_PREFIXES = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.", "text_model.", "")

HEADS = 8
GROUPS = 32
SCALE = 0.18215
HEAD_WIDTH = 64
"""The width of a head of the text encoder."""

SHORTEST = 16
"""The fewest positions that a text encoder can have: a group of tokens has to fit between begin and end."""

ADAPTERS = ("lora_te_text_model_", "lora_te1_text_model_", "text_encoder.text_model.", "text_encoder.")
"""What LoRA files put before the name of a module of the text encoder."""

DEFAULTS = Defaults(width=512, height=512, steps=20, cfg=7.0)

RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
"""Latents of SD 1.x to colour: a linear fit published by Keturn in 2022."""

PREDICTIONS: Mapping[str, Prediction] = {
    "eps": "eps",
    "epsilon": "eps",
    "v": "v",
    "v_prediction": "v",
    "v-prediction": "v",
}


def detect(weights: Weights) -> Checkpoint | None:
    """Return what a file holds where it is of this family, reading nothing but its header.

    Raises ModelError where its metadata contradicts its shapes.
    """
    if any(name.startswith(("cond_stage_model.model.", "conditioner.")) for name in weights.infos):
        return None
    facts = Facts(weights.metadata)
    prefix = _prefix(weights, UNET_PREFIXES, ("input_blocks.0.0.weight", "output_blocks.0.0.in_layers.0.weight"))
    unet = None if prefix is None else _unet(weights, prefix, facts)
    if prefix is not None and unet is None:
        return None
    vae = _vae(weights, facts)
    text = _text(weights, facts)
    if unet is None and vae is None and text is None:
        return None
    return Checkpoint(
        family=NAME,
        prediction=facts.prediction("v_pred" in weights.infos),
        latent=_latent(unet, vae, facts),
        defaults=facts.defaults(),
        unet=unet,
        vae=vae,
        text=(text,) if text else (),
    )


def original_layout(
    unet: Mapping[str, "Tensor"], vae: Mapping[str, "Tensor"], text: Mapping[str, "Tensor"]
) -> dict[str, "Tensor"]:
    """Return the tensors of a checkpoint in the original layout, from the state dicts of its three modules."""
    found = {UNET_PREFIXES[0] + old: unet[new] for old, new in ldm_unet.original_names(unet).items()}
    for old, new in ldm_vae.original_names(vae).items():
        tensor = vae[new]
        found[VAE_PREFIXES[0] + old] = tensor[:, :, None, None] if ldm_vae.is_pointwise(old) else tensor
    for name, tensor in text.items():
        found[TEXT_PREFIXES[0] + name.removeprefix("text_model.")] = tensor
    return found


class Facts:
    """What the metadata of a file says, with SD 1.5 where it is silent."""

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
        named = self.metadata.get("modelspec.prediction_type", "v" if is_marked else "eps")
        return PREDICTIONS.get(named.lower(), "eps")

    def defaults(self) -> Defaults:
        size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", self.metadata.get("modelspec.resolution", ""))
        width, height = (int(size[1]), int(size[2])) if size else (DEFAULTS.width, DEFAULTS.height)
        steps, cfg = self.get("sampling", "steps", DEFAULTS.steps), self.get("sampling", "cfg", DEFAULTS.cfg)
        return Defaults(width, height, steps, float(cfg))

    def rgb(self, channels: int) -> tuple[tuple[float, float, float], ...]:
        """Return the preview matrix; without one, grey from every channel where the channels are not SD 1.5's."""
        try:
            rows = tuple((float(r), float(g), float(b)) for r, g, b in self.config["preview"])
        except (KeyError, TypeError, ValueError):
            rows = ()
        if len(rows) == channels:
            return rows
        return RGB if channels == len(RGB) else ((1 / channels,) * 3,) * channels


def _prefix(weights: Weights, prefixes: Iterable[str], probes: Iterable[str]) -> str | None:
    probes = list(probes)
    return next((prefix for prefix in prefixes if all(prefix + probe in weights.infos for probe in probes)), None)


def _under(weights: Weights, prefix: str) -> list[str]:
    return [name[len(prefix) :] for name in weights.infos if name.startswith(prefix)]


def _shapes(weights: Weights, prefix: str, names: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    return {new: weights.shape(prefix + old) for new, old in names.items()}


def _network(module: Any, config: Mapping[str, Any], names: Mapping[str, str], prefix: str, *adapters: str) -> Network:
    return Network(config, module.build, {new: prefix + old for new, old in names.items()}, prefix, adapters)


def _unet(weights: Weights, prefix: str, facts: Facts) -> Network | None:
    names = ldm_unet.diffusers_names(_under(weights, prefix))
    shapes = _shapes(weights, prefix, names)
    if "add_embedding.linear_1.weight" in shapes or len(shapes.get("mid_block.attentions.0.proj_in.weight", ())) != 4:
        return None
    heads = facts.get("unet", "num_attention_heads", facts.get("unet", "attention_head_dim", HEADS))
    groups = facts.get("unet", "norm_num_groups", GROUPS)
    config = ldm_unet.config(shapes, groups, heads)
    _must_divide(weights, "unet", "norm_num_groups", groups, config["block_out_channels"])
    _must_divide(weights, "unet", "attention_head_dim", heads, config["block_out_channels"])
    return _network(ldm_unet, config, names, prefix, "lora_unet_", "unet.", "diffusion_model.", "")


def _vae(weights: Weights, facts: Facts) -> Network | None:
    prefix = _prefix(weights, VAE_PREFIXES, ("decoder.conv_in.weight", "encoder.conv_in.weight", "quant_conv.weight"))
    if prefix is None:
        return None
    names = ldm_vae.diffusers_names(_under(weights, prefix))
    groups = facts.get("vae", "norm_num_groups", GROUPS)
    config = ldm_vae.config(_shapes(weights, prefix, names), groups)
    _must_divide(weights, "vae", "norm_num_groups", groups, config["block_out_channels"])
    return _network(ldm_vae, config, names, prefix)


def _text(weights: Weights, facts: Facts) -> TextEncoder | None:
    prefix = _prefix(weights, TEXT_PREFIXES, (clip_text.TOKENS, clip_text.POSITIONS, "encoder.layers.0.mlp.fc1.weight"))
    if prefix is None:
        return None
    names = {name: name for name in _under(weights, prefix)}
    shapes = _shapes(weights, prefix, names)
    vocabulary, width = shapes[clip_text.TOKENS]
    heads = facts.get("text", "num_attention_heads", max(1, width // HEAD_WIDTH))
    _must_divide(weights, "text", "num_attention_heads", heads, (width,))
    config = clip_text.config(shapes, heads, facts.get("text", "hidden_act", "quick_gelu"))
    length = config["max_position_embeddings"]
    if not 514 <= vocabulary <= 49_408 or length < SHORTEST:
        raise ModelError(
            f"the text encoder of {weights.path.name} is not one of CLIP's",
            got=f"{vocabulary} tokens, {length} positions",
            expected=f"514 to 49408 tokens, at least {SHORTEST} positions",
        )
    network = _network(clip_text, config, names, prefix, *ADAPTERS)
    return TextEncoder(network, vocabulary, length, width, pad=vocabulary - 1, layer=-1, final_norm=True)


def _latent(unet: Network | None, vae: Network | None, facts: Facts) -> LatentFormat:
    """Return the latent format: from the autoencoder, else from the UNet with SD 1.5's factor."""
    channels = vae.config["latent_channels"] if vae else unet.config["out_channels"] if unet else len(RGB)
    factor = 2 ** (len(vae.config["block_out_channels"]) - 1) if vae else 8
    scale = float(facts.get("vae", "scaling_factor", SCALE))
    return LatentFormat(channels, factor, scale, facts.rgb(channels))


def _must_divide(weights: Weights, part: str, name: str, number: int, widths: Iterable[int]) -> None:
    if number < 1 or any(width % number for width in widths):
        raise ModelError(
            f"the {part} of {weights.path.name} has widths that its {name} does not divide",
            got=f"{name} {number}",
            expected=f"a divisor of {', '.join(map(str, widths))}",
            hint="a model with unusual widths states its configuration in the metadata of the file",
        )
