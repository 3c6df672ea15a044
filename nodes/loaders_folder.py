"""Load models from folders as diffusers saves them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.errors import ModelError
from engine.node import ModelFolder, node
from nodes.lazy import lazy
from nodes.loaders import LoadedCheckpoint
from nodes.recipes import Clip, DiscreteSampling, FileRef, Model, Vae

if TYPE_CHECKING:
    from nodes.models import files, service
else:
    files = lazy("nodes.models.files")
    service = lazy("nodes.models.service")

DIFFUSERS = "diffusers"

NETWORK: Mapping[str, str] = {"safetensors": "diffusion_pytorch_model", "bin": "diffusion_pytorch_model"}
ENCODER: Mapping[str, str] = {"safetensors": "model", "bin": "pytorch_model"}
"""How the files of a part are called, by their suffix."""


@node("DiffusersLoader", category="advanced/loaders/deprecated", resource="io")
def load_diffusers(ctx: Context, model_path: Annotated[str, ModelFolder(DIFFUSERS)]) -> LoadedCheckpoint:
    """Load a model from a folder as diffusers saves it, with its text encoders and VAE in folders of their own.

    Of several files of a part those in 16 bits come first, safetensors before others. What the model predicts is read
    off its scheduler, if that says so. Not compared with the reference.
    """
    unet, vae = _part(ctx, model_path, "unet", NETWORK, "unet"), _part(ctx, model_path, "vae", NETWORK, "vae")
    encoders = [
        _part(ctx, model_path, name, ENCODER, "text")
        for name in ("text_encoder", "text_encoder_2")
        if name == "text_encoder" or _file(ctx, model_path, name, ENCODER)
    ]
    clip = Clip(encoders[0], beside=tuple(encoders[1:]), family="sdxl" if len(encoders) > 1 else None)
    ctx.use(service.pool).encoders(clip)
    folder = ctx.folders.model_folder(DIFFUSERS, model_path)
    return LoadedCheckpoint(Model(unet, options=_sampling(folder) if folder else ()), clip, Vae(vae))


def _file(ctx: Context, model: str, part: str, names: Mapping[str, str]) -> str | None:
    """Return the name of the file that holds a part, None where there is none."""
    found = (f"{model}/{part}/{stem}{half}.{suffix}" for suffix, stem in names.items() for half in (".fp16", ""))
    return next((name for name in found if ctx.folders.model(DIFFUSERS, name)), None)


def _part(
    ctx: Context, model: str, part: str, names: Mapping[str, str], kind: Literal["unet", "text", "vae"]
) -> FileRef:
    name = _file(ctx, model, part, names)
    if name is None:
        raise ModelError(
            f"{model} has no weights in {part}",
            got="no such file",
            expected=" or ".join(f"{part}/{stem}.{suffix}" for suffix, stem in names.items()),
            hint="Weights that are cut into several files have to be joined first.",
        )
    files.detected(ctx, DIFFUSERS, name, kind)
    return FileRef(DIFFUSERS, ctx.fingerprint(DIFFUSERS, name))


def _sampling(folder: Path) -> tuple[DiscreteSampling, ...]:
    """Return what the scheduler of a folder says of the prediction, where it is not the usual one."""
    try:
        said = json.loads((folder / "scheduler" / "scheduler_config.json").read_bytes())
    except (OSError, ValueError):
        return ()
    if not isinstance(said, dict) or said.get("prediction_type") != "v_prediction":
        return ()
    return (DiscreteSampling("v_prediction", said.get("rescale_betas_zero_snr") is True),)
