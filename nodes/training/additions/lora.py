"""A LoRA (Hu et al. 2021, arXiv 2106.09685) that turns portraits into old photographs."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from nodes.models import lora
from nodes.models.weights import in_memory
from nodes.training.additions.fitting import fit
from nodes.training.additions.own import Own, latents
from nodes.training.changes import ALPHA, attach, fresh, layers, learned, written
from nodes.training.device import Device, generator
from nodes.training.parts import Parts
from nodes.training.stages.diffusion import Recipe
from nodes.training.state import write_tensors
from nodes.training.tuning import BEGINNING, CPU

RANK = 4
RATE = 2e-3
RECIPE = Recipe(blank=0.1)
LUMA = (0.299, 0.587, 0.114)
DARK, LIGHT = (0.16, 0.09, 0.04), (1.0, 0.93, 0.78)
"""The colours of the print for black and white, red green blue."""


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
    shapes = layers(parts.unet)
    tensors = fresh(shapes, "LoRA", RANK, generator(seed, BEGINNING, CPU))
    tensors |= {name: torch.tensor(float(RANK)) for name in tensors if name.endswith(ALPHA)}
    changes = lora.changes(tensors)
    laid = {name: changes[f"{written(name)}.weight"] for name in shapes}
    trained = attach(parts.unet, laid, in_memory(path, tensors), device.torch)

    def predict(x: Tensor, times: Tensor, context: Tensor, at: Tensor) -> Tensor:
        made: Tensor = parts.unet(x, times, context, return_dict=False)[0]
        return made

    parameters = [parameter for each in trained for parameter in each.parameters()]
    seen = latents(parts, photograph(own.pictures), device)
    fit(parts, parameters, predict, seen, own.captions, device, steps=steps, batch=batch, rate=RATE, recipe=RECIPE,
        seed=seed, told=told)  # fmt: skip
    for name in shapes:
        module = parts.unet.get_submodule(name.removesuffix(".weight"))
        parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    tensors |= learned(trained, torch.float16)
    write_tensors(path, tensors, {"modelspec.title": path.stem, "modelspec.architecture": "stable-diffusion-v1/lora"})
