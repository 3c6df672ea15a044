"""A ControlNet (Zhang et al. 2023, arXiv 2302.05543) that follows edges."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from nodes.models.families import controlnet
from nodes.pixels.edges import canny
from nodes.training.additions.fitting import fit
from nodes.training.additions.own import Own, latents
from nodes.training.device import Device
from nodes.training.parts import Parts
from nodes.training.stages.diffusion import Recipe
from nodes.training.state import write_tensors

RATE = 1e-3
RECIPE = Recipe(blank=0.5)
"""Without a caption only the edges tell what is there, so the network looks at them."""

LOW, HIGH = 0.2, 0.5
"""Thresholds of the edges, as the workflow has them."""

HINT = (8, 16, 16, 32)
"""Widths of the encoder for the edges; each but the last halves the picture."""

ENCODER = (
    "in_channels", "down_block_types", "block_out_channels", "layers_per_block", "transformer_layers_per_block",
    "cross_attention_dim", "attention_head_dim", "norm_num_groups", "use_linear_projection",
)  # fmt: skip


def train(
    parts: Parts, own: Own, path: Path, device: Device, *, steps: int, batch: int, seed: int,
    told: Callable[[int, float], None],
) -> None:  # fmt: skip
    """Train a copy of the UNet's first half to steer the UNet by edges, and write it in diffusers' layout, fp16."""
    parts.unet.requires_grad_(False)
    config = {name: parts.design.unet[name] for name in ENCODER}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = controlnet.build(config | {"conditioning_channels": 3, "conditioning_embedding_out_channels": HINT}).to(
            device.torch
        )
    net.load_state_dict(parts.unet.state_dict(), strict=False)
    found = canny(own.pictures, LOW, HIGH).movedim(-1, 1).to(device.torch)

    def predict(x: Tensor, times: Tensor, context: Tensor, at: Tensor) -> Tensor:
        down, middle = net(x, times, context, controlnet_cond=found[at], return_dict=False)
        made: Tensor = parts.unet(
            x, times, context, down_block_additional_residuals=down, mid_block_additional_residual=middle,
            return_dict=False,
        )[0]  # fmt: skip
        return made

    seen = latents(parts, own.pictures, device)
    fit(parts, net.parameters(), predict, seen, own.captions, device, steps=steps, batch=batch, rate=RATE,
        recipe=RECIPE, seed=seed, told=told)  # fmt: skip
    facts = {"unet": {name: parts.design.unet[name] for name in ("attention_head_dim", "norm_num_groups")}}
    tensors = {name: tensor.half() for name, tensor in net.state_dict().items()}
    write_tensors(path, tensors, {"config": json.dumps(facts), "modelspec.title": path.stem})
