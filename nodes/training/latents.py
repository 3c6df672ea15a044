"""Every view of a dataset as latents, made once and kept beside the training."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from blake3 import blake3
from torch import Tensor

from nodes.models.weights import open_weights
from nodes.training.dataset import Dataset
from nodes.training.device import Device
from nodes.training.state import write_tensors

LATENTS = "latents.safetensors"
BATCH = {"cuda": 64}


def encoder_digest(vae: Any) -> str:
    """Return a digest of what makes latents of pictures."""
    digest = blake3()
    for part in (vae.encoder, vae.quant_conv):
        for name, tensor in part.state_dict().items():
            digest.update(name.encode()).update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


Starts = Callable[[range], Iterable[int]]
"""Goes through the first views of all batches; it may show how far it is, and end early by an error."""


def latents_of(vae: Any, dataset: Dataset, device: Device, folder: Path, through: Starts = iter) -> Tensor:
    """Return the latents (views, channels, height, width), float32, unscaled, from the folder if it has them."""
    path, key = folder / LATENTS, f"{encoder_digest(vae)} {dataset.digest}"
    if path.is_file():
        known = open_weights(path)
        if known.metadata.get("key") == key:
            return known.tensor("latents").clone().to(device.torch)
    latents = _encoded(vae, dataset, device, through)
    write_tensors(path, {"latents": latents}, {"key": key})
    return latents


@torch.no_grad()
def _encoded(vae: Any, dataset: Dataset, device: Device, through: Starts) -> Tensor:
    step = BATCH.get(device.torch.type, 8)
    parts = []
    for start in through(range(0, len(dataset.views), step)):
        pictures = dataset.pictures(range(start, min(start + step, len(dataset.views))))
        with device.autocast():
            parts.append(vae.encode(device.placed(pictures)).latent_dist.mean.float())
    return torch.cat(parts)
