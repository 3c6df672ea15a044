"""Train a LoRA for a model of a workflow. Neither the model in the pool nor its file is changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import nn

from engine.context import Context
from engine.errors import InputError, ModelError
from nodes.models import lora
from nodes.models.assemble import Source, assemble
from nodes.models.families.checkpoint import Network, Prediction
from nodes.models.ladder import Ladder, freed
from nodes.models.parametrization import PREDICTORS, parametrization
from nodes.models.parts import Work, network, parts
from nodes.models.placement import needed_bytes
from nodes.models.pool import Pool
from nodes.models.sample import entered
from nodes.models.service import pool
from nodes.models.unet import Unet
from nodes.models.weights import TRAINED, Weights, in_memory
from nodes.pixels import curve
from nodes.recipes import Conditioning, Latent, LoraModel, Model
from nodes.sampling.noise_levels import NoiseLevels
from nodes.sampling.prediction import Inputs
from nodes.training.changes import Algorithm, attach, fresh, layers, learned
from nodes.training.device import generator
from nodes.training.tuning import BEGINNING, CPU, Examples, Settings, Tuning

DType = Literal["bf16", "fp32"]
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}

STEPS = "ss_steps"
"""What kohya's tools call the number of steps in the metadata of a file."""

TARGETS: tuple[Prediction, ...] = ("eps", "v")
"""What networks are trained to predict: the noise, or the velocity."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of LoRA. ``existing`` is one to go on from: what it changes keeps its algorithm and rank."""

    algorithm: Algorithm
    rank: int
    dtype: DType
    existing: Weights | None = None


def train(
    ctx: Context,
    model: Model,
    latents: Latent,
    positive: Conditioning,
    kind: Kind,
    settings: Settings,
    *,
    steps: int,
    dtype: DType,
    checkpointing: bool,
) -> tuple[LoraModel, list[float]]:
    """Return a LoRA for the blocks of a UNet, and the loss of each step.

    The network computes in ``dtype``. With ``checkpointing`` what gradients need is computed twice, and not kept.

    Raises:
        InputError: the latents are of another family, or the prompts neither one nor as many as they.
        ModelError: the model can't be trained, a prompt or LoRA is for another one, or the loss became no number.
        OutOfMemory: there is not enough for one batch.
        Cancelled: the run was cancelled, which is looked for in each step.
    """
    models = ctx.use(pool)
    weights, unet, form = models.weights(model.file), models.network(model), _form(models, model)
    models.residents.make_room(needed_bytes(Source(unet, weights, models.device, (DTYPES[dtype],))))
    patches = models.patches(model, model.file, unet)
    module = assemble(unet, weights, models.device, (DTYPES[dtype],), patches)
    examples = _examples(models, model, module, latents, positive, form)
    file = _beginning(kind, module, weights, unet, settings.seed)
    trained = attach(module, lora.fit(file, weights, unet), file, models.device)
    if checkpointing:
        module.enable_gradient_checkpointing()  # type: ignore[operator]
    parameters = [parameter for each in trained for parameter in each.parameters()]
    tuning = Tuning(network(_unet(models, model, module)), parameters, examples, settings)
    ladder = Ladder(_rungs(models, module, checkpointing), ctx.warn)
    losses: list[float] = []
    for number in range(steps):
        losses.append(ladder.climb(partial(tuning.step, number)))
        ctx.progress(number + 1, steps, partial(curve.png, tuple(losses)), f"loss {losses[-1]:.4g}")
    tensors = {name: file.tensor(name).clone() for name in file.infos} | learned(trained, DTYPES[kind.dtype])
    return LoraModel(tensors), losses


def steps_of(existing: Weights) -> int:
    """Return how many steps a LoRA was trained for, as its metadata or its name says; 0 where neither does."""
    named = re.search(r"_(\d+)_steps_", existing.path.name)
    told = existing.metadata.get(STEPS, named[1] if named else "")
    return int(told) if told.isdecimal() else 0


def _form(models: Pool, model: Model) -> tuple[Prediction, NoiseLevels]:
    """Return what a model predicts, over which levels. Raises ModelError where that can't be trained."""
    checkpoint = models.checkpoint(model.file)
    form = parametrization(model, checkpoint)
    prediction = next((name for name in TARGETS if PREDICTORS[name] is form.prediction), None)
    if prediction is None:
        raise ModelError(
            "A LoRA can't be trained for this kind of model.",
            got=f"a {checkpoint.family} model that predicts {form.prediction.__name__}",
            expected="a Stable Diffusion 1, 2 or XL model that predicts the noise (eps) or the velocity (v)",
            hint="Take the model as its loader gives it, without ModelSampling nodes that change what it predicts.",
        )
    return prediction, form.levels


def _examples(
    models: Pool,
    model: Model,
    module: nn.Module,
    latents: Latent,
    positive: Conditioning,
    form: tuple[Prediction, NoiseLevels],
) -> Examples:
    checkpoint = models.checkpoint(model.file)
    x = entered(latents, checkpoint.latent, "latents").to(models.device)
    prompts = positive.entries
    if len(prompts) not in (1, len(x)):
        raise InputError(
            "There is not one prompt for each latent.",
            input="positive",
            got=f"{len(prompts)} prompts for {len(x)} latents",
            expected=f"one prompt for all, or {len(x)}",
            hint="Load pictures and captions with LoadImageTextSetFromFolderNode.",
        )
    work = Work(_unet(models, model, module), checkpoint.inputs, form[1], x)
    found = [parts(Conditioning((prompt,)), work, is_negative=False)[0].inputs for prompt in prompts]
    inputs = [_row(found[place % len(found)], place) for place in range(len(x))]
    return Examples(x, inputs, *form)


def _row(inputs: Inputs, place: int) -> dict[str, torch.Tensor]:
    """Return what the network gets for one latent of a batch. What a model gets beside x has a row for each."""
    return {name: tensor[place : place + 1] if len(tensor) > 1 else tensor for name, tensor in inputs.items()}


def _unet(models: Pool, model: Model, module: nn.Module) -> Unet:
    checkpoint = models.checkpoint(model.file)
    dtype = next(module.parameters()).dtype
    return Unet(module, checkpoint.prediction, checkpoint.latent, models.network(model), dtype)


def _beginning(kind: Kind, module: nn.Module, weights: Weights, unet: Network, seed: int) -> Weights:
    """Return the LoRA to begin with: the existing one, and one that does nothing yet for the layers that it leaves."""
    known, path = {}, TRAINED
    existing: dict[str, torch.Tensor] = {}
    if kind.existing:
        lora.check(kind.existing, [(weights, unet)])
        known, path, existing = lora.fit(kind.existing, weights, unet), kind.existing.path, kind.existing.state_dict()
    new = {name: shape for name, shape in layers(module).items() if name not in known}
    made = fresh(new, kind.algorithm, kind.rank, generator(seed, BEGINNING, CPU))
    return in_memory(path, {**existing, **made})


def _rungs(models: Pool, module: nn.Module, checkpointing: bool) -> Iterator[str]:
    """What is done when memory runs out."""
    yield from freed(models.residents)
    if not checkpointing:
        module.enable_gradient_checkpointing()  # type: ignore[operator]
        yield "What gradients need is computed twice from here on (gradient checkpointing)."
