"""Write a trained model as one file in the original layout, the way any other checkpoint is read."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.families import sd1
from nodes.training.parts import Design, Parts
from nodes.training.state import write_tensors

MARKER = "v_pred"
"""The name of an empty tensor that tells other programs the prediction type."""


def export(
    path: Path, parts: Parts, preview: Tensor | None, title: str, notes: Mapping[str, str] | None = None
) -> None:
    """Write the networks in fp16. What their shapes don't tell goes into the header, as `families.sd1` reads it.

    ``preview`` (channels, 3) takes scaled latents to colours; ``notes`` are added to the header. Raises ModelError
    where a weight has no place in fp16.
    """
    modules = (parts.unet, parts.vae, parts.text)
    tensors = {name: _half(name, t) for name, t in sd1.original_layout(*(m.state_dict() for m in modules)).items()}
    if parts.design.prediction == "v":
        tensors[MARKER] = torch.empty(0, dtype=torch.float16)
    write_tensors(path, tensors, {**metadata(parts.design, preview, title), **(notes or {})})


def metadata(design: Design, preview: Tensor | None, title: str) -> dict[str, str]:
    """Return the header of a design."""
    config = {
        "unet": {key: design.unet[key] for key in ("attention_head_dim", "norm_num_groups")},
        "vae": {"norm_num_groups": design.vae["norm_num_groups"], "scaling_factor": design.scale},
        "text": {key: design.text[key] for key in ("num_attention_heads", "hidden_act")},
        "sampling": {"steps": design.steps, "cfg": design.cfg},
    }
    if preview is not None:
        config["preview"] = [[round(value, 6) for value in row] for row in preview.tolist()]  # type: ignore[assignment]
    return {
        "config": json.dumps(config),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.implementation": "loomis",
        "modelspec.title": title,
        "modelspec.resolution": f"{design.size}x{design.size}",
        "modelspec.prediction_type": "v" if design.prediction == "v" else "epsilon",
        "format": "pt",
    }


def _half(name: str, tensor: Tensor) -> Tensor:
    half = tensor.detach().to(torch.float16)
    if not half.isfinite().all():
        raise ModelError("A weight has no place in fp16.", got=f"{name} up to {tensor.abs().max().item():g}")
    return half


def preview_matrix(latents: Tensor, pictures: Tensor) -> Tensor:
    """Fit colours to latents by least squares.

    ``latents`` (n, channels, h, w) of unit variance, ``pictures`` (n, 3, H, W) in -1 to 1. Returns (channels, 3).
    """
    small = torch.nn.functional.adaptive_avg_pool2d(pictures, (latents.shape[-2], latents.shape[-1]))
    rows = latents.movedim(1, -1).flatten(0, 2).double().cpu()
    colours = small.movedim(1, -1).flatten(0, 2).double().cpu()
    fit: Tensor = torch.linalg.lstsq(rows, colours).solution
    return fit.float()
