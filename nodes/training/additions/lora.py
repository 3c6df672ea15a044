"""A LoRA (Hu et al. 2021, arXiv 2106.09685) that turns portraits into old photographs."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nodes.training.additions.fitting import fit
from nodes.training.additions.own import Own, latents
from nodes.training.device import Device
from nodes.training.parts import Parts
from nodes.training.stages.diffusion import Recipe
from nodes.training.state import write_tensors

RANK = 4
RATE = 2e-3
RECIPE = Recipe(blank=0.1)
LUMA = (0.299, 0.587, 0.114)
DARK, LIGHT = (0.16, 0.09, 0.04), (1.0, 0.93, 0.78)
"""The colours of the print for black and white, red green blue."""

PREFIX = "lora_unet_"
"""How kohya's files name a module of the UNet; dots become underscores."""


class LowRank(nn.Module):
    """A weight plus ``up`` times ``down``. It begins as the weight."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(RANK, weight[0].numel()) / weight[0].numel() ** 0.5)
        self.up = nn.Parameter(torch.zeros(len(weight), RANK))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def photograph(pictures: Tensor) -> Tensor:
    """Return pictures (..., 3) from 0 to 1 in the tones of an old print."""
    grey = pictures @ torch.tensor(LUMA)
    return torch.lerp(torch.tensor(DARK), torch.tensor(LIGHT), grey[..., None])


def train(
    parts: Parts, own: Own, path: Path, device: Device, *, steps: int, batch: int, seed: int,
    told: Callable[[int, float], None],
) -> None:  # fmt: skip
    """Train a LoRA over every layer in the blocks of the UNet, and write it in kohya's layout, fp16."""
    parts.unet.requires_grad_(False)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        changed = {
            name: LowRank(module.weight)
            for name, module in parts.unet.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d) and "_block" in name and "time_emb" not in name
        }
    for name, change in changed.items():
        parametrize.register_parametrization(parts.unet.get_submodule(name), "weight", change)

    def predict(x: Tensor, times: Tensor, context: Tensor, at: Tensor) -> Tensor:
        made: Tensor = parts.unet(x, times, context, return_dict=False)[0]
        return made

    parameters = [parameter for change in changed.values() for parameter in change.parameters()]
    seen = latents(parts, photograph(own.pictures), device)
    fit(parts, parameters, predict, seen, own.captions, device, steps=steps, batch=batch, rate=RATE, recipe=RECIPE,
        seed=seed, told=told)  # fmt: skip
    tensors: dict[str, Tensor] = {}
    for name, change in changed.items():
        weight = parts.unet.get_submodule(name).parametrizations.weight.original
        written = PREFIX + name.replace(".", "_")
        down = change.down.view(RANK, *weight.shape[1:])
        up = change.up.view(*change.up.shape, *[1] * (weight.dim() - 2))
        tensors |= {f"{written}.lora_down.weight": down.half(), f"{written}.lora_up.weight": up.half()}
        tensors[f"{written}.alpha"] = torch.tensor(float(RANK))
        parametrize.remove_parametrizations(parts.unet.get_submodule(name), "weight", leave_parametrized=False)
    write_tensors(path, tensors, {"modelspec.title": path.stem, "modelspec.architecture": "stable-diffusion-v1/lora"})
