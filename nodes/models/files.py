"""Look into model files by name, without loading what they hold."""

import re
from collections.abc import Collection
from typing import Literal

from engine.context import Context
from engine.errors import FileError, ModelError
from nodes.models import families
from nodes.models.families.checkpoint import Checkpoint
from nodes.models.weights import Weights, open_weights

Part = Literal["unet", "text", "vae"]
NAMES: dict[Part, str] = {"unet": "diffusion network", "text": "text encoder", "vae": "VAE"}

HARMLESS = re.compile(
    r"position_ids$|logit_scale$|^v_pred$|^ztsnr$|^model_ema\.|^loss\.|^scheduler\.|^(sqrt_|log_)?(one_minus_)?alphas_cumprod"
    r"|^(betas|logvar|lvlb_weights|scale_factor)$|^sqrt_recip|^posterior_|^(cond_stage_model|conditioner\.embedders)\..*(text_projection|ln_final|attn_mask)"
    r"|(^|\.)text_projection(\.weight)?$|^denoiser\.sigmas$|^noise_augmentor\.|^embedder\.model\.|^cond_stage_model\.model\.transformer\.resblocks\.23\."
)
"""Tensors that files carry and no picture needs: tables that follow from a schedule, averages and losses."""


def opened(ctx: Context, folder: str, name: str) -> Weights:
    """Return a model file, its header read.

    Raises:
        FileError: it is not there, or not a whole weights file.
    """
    path = ctx.folders.model(folder, name)
    if path is None:
        raise FileError(f"{name} is not in {folder}.", got=name, hint="Run `loomis models` to see what is there.")
    return open_weights(path)


def detected(ctx: Context, folder: str, name: str, *parts: Part, used: Collection[str] = ()) -> Checkpoint:
    """Return what a model file holds, and tell of tensors that have no place, but for those ``used`` by others.

    Reads its header only.

    Raises:
        FileError: it is not there, or not a whole weights file.
        ModelError: no family knows it, or it lacks one of the parts.
    """
    weights = opened(ctx, folder, name)
    found = families.detect(weights)
    for part in parts:
        if not getattr(found, part):
            raise ModelError(
                f"{name} holds no {NAMES[part]}",
                got=", ".join(f"a {NAMES[each]}" for each in NAMES if getattr(found, each)),
                expected=f"a file with a {NAMES[part]}",
            )
    taken = {*used, *(key for network in found.networks for key in network.keys.values())}
    tell_unused(ctx, name, [key for key in weights.infos if key not in taken and not HARMLESS.search(key)])
    return found


def tell_unused(ctx: Context, name: str, unused: list[str] | tuple[str, ...], where: str = "the model") -> None:
    """Warn of the tensors of a file that have no place in what it is loaded for."""
    if unused:
        shown = ", ".join(unused[:3])
        ctx.warn(f"{name}: {len(unused)} of its tensors have no place in {where} and are not used ({shown} ...).")
