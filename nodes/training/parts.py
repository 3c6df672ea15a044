"""The networks of a Stable Diffusion 1 checkpoint, as they are trained: built from nothing or read from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import ModelError
from nodes.models import families
from nodes.models.assemble import assemble
from nodes.models.families import clip_text, ldm_unet, ldm_vae
from nodes.models.families.checkpoint import Network, Prediction
from nodes.models.weights import Weights, open_weights
from nodes.training.start import near_identity, quiet_ends

UNET: Mapping[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (64, 128, 128),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 1, 1),
    "cross_attention_dim": 128,
    "attention_head_dim": 8,
    "norm_num_groups": 16,
    "use_linear_projection": False,
}
VAE: Mapping[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (32, 32, 64, 64),
    "layers_per_block": 1,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 4,
}
"""32 groups on 32 channels would be an instance norm, which lets no colour through: small nets take few groups."""

TEXT: Mapping[str, Any] = {
    "vocab_size": 8192,
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "bos_token_id": 8190,
    "eos_token_id": 8191,
    "pad_token_id": 8191,
}


@dataclass(frozen=True, slots=True)
class Design:
    """What a checkpoint is made of. The configs are those of diffusers and transformers.

    ``size`` in pixels; ``scale`` brings latents to unit variance, None where it is yet to be measured; ``steps`` and
    ``cfg`` are what to ask for when a person does not say.
    """

    size: int = 128
    unet: Mapping[str, Any] = field(default_factory=lambda: UNET)
    vae: Mapping[str, Any] = field(default_factory=lambda: VAE)
    text: Mapping[str, Any] = field(default_factory=lambda: TEXT)
    prediction: Prediction = "v"
    scale: float | None = None
    steps: int = 20
    cfg: float = 3.0

    @property
    def factor(self) -> int:
        """How many pixels a latent is wide."""
        return 1 << len(self.vae["block_out_channels"]) - 1


@dataclass(slots=True)
class Parts:
    """The networks in float32. ``unet`` is diffusers' UNet2DConditionModel, ``vae`` its AutoencoderKL, ``text`` the
    transformer of transformers' CLIPTextModel."""

    design: Design
    unet: Any
    vae: Any
    text: Any

    def to(self, device: torch.device) -> None:
        """Move the networks; on a GPU images go in the order of channels that its convolutions are fastest in."""
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        for module in (self.unet, self.vae, self.text):
            module.to(device=device, memory_format=layout)


def build(design: Design, seed: int) -> Parts:
    """Build networks that know nothing."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        unet, vae, text = ldm_unet.build(design.unet), ldm_vae.build(design.vae), clip_text.build(design.text)
        quiet_ends(unet)
        near_identity(vae)
    return Parts(design, unet.train(), vae.train(), text.train())


def load(path: Path) -> Parts:
    """Read the networks of a checkpoint. Raises FileError or ModelError where it is not whole or of another family."""
    weights = open_weights(path)
    checkpoint = families.detect(weights)
    if checkpoint.unet is None or checkpoint.vae is None or not checkpoint.text:
        raise ModelError(
            f"{path.name} is not a whole checkpoint.",
            got="a file that lacks one of them",
            expected="a UNet, a VAE and a text encoder in one file",
        )
    unet, vae, text = checkpoint.unet, checkpoint.vae, checkpoint.text[0].network
    design = Design(
        size=checkpoint.defaults.width,
        unet=unet.config,
        vae=vae.config,
        text=text.config,
        prediction=checkpoint.prediction,
        scale=checkpoint.latent.scale,
        steps=checkpoint.defaults.steps,
        cfg=checkpoint.defaults.cfg,
    )
    return Parts(design, _trainable(unet, weights), _trainable(vae, weights), _trainable(text, weights))


def _trainable(network: Network, weights: Weights) -> nn.Module:
    """Return a network in memory of its own, not in the mapped file."""
    module = network.build(network.config)
    module.load_state_dict(assemble(network, weights, torch.device("cpu"), (torch.float32,)).state_dict())
    return module.train()


def resized(design: Design, size: int | None) -> Design:
    """Return a design for pictures of another size. Raises ModelError where they can't halve it."""
    size = size or design.size
    multiple = design.factor * 2 ** (len(design.unet["block_out_channels"]) - 1)
    if size % multiple or size <= 0:
        raise ModelError(
            "The networks can't take pictures of this size.", got=size, expected=f"a multiple of {multiple}"
        )
    return replace(design, size=size)
