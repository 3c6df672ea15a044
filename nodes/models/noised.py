"""Noise on a latent outside of a run."""

import torch
from torch import Tensor

from engine.context import Context
from nodes.models.parametrization import parametrization
from nodes.models.sample import entered, left, starting_noise
from nodes.models.service import pool
from nodes.recipes import Latent, Model, NoiseSource


@torch.no_grad()
def noised(ctx: Context, model: Model, source: NoiseSource, sigmas: Tensor, latent: Latent) -> Latent:
    """Return a latent under noise of the level first - last of ``sigmas``, or of the only one; without any as it is.

    Raises:
        InputError: the latent is of another family.
    """
    if not len(sigmas):
        return latent
    checkpoint = ctx.use(pool).checkpoint(model.file)
    process, form = parametrization(model, checkpoint).process, checkpoint.latent
    sigma = (sigmas[0] - sigmas[-1]).abs() if len(sigmas) > 1 else sigmas[0]
    clean = entered(latent, form)
    return left(latent, process.start(clean, starting_noise(source, latent, clean), sigma, full=False), form)
