"""Stage 2: latent diffusion, a UNet and its text encoder together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nodes.models.families.checkpoint import Prediction
from nodes.models.parametrization import PREDICTORS
from nodes.models.tokenizer import Tokenizer
from nodes.sampling import noise
from nodes.sampling.guidance import Guidance, Part
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.prediction import Inputs
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.seam import ignore_step
from nodes.sampling.solvers import SOLVERS
from nodes.training.dataset import Dataset
from nodes.training.device import Device, generator
from nodes.training.grids import grid
from nodes.training.loop import SAMPLE_STEP, Course, late_linear
from nodes.training.parts import Parts

SHOWN = 16
COLUMNS = 8
SAMPLE_STEPS = 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """How noise is laid on and weighed.

    ``offset`` adds a constant per channel to the noise, else a small network reads the mean colour off it and ignores
    the words (Guttenberg 2023). ``gamma`` is that of min-SNR weights: Hang et al. (2023), arXiv 2303.09556. ``blank``
    of the captions are empty, so that guidance has its other side. Without ``text`` the text encoder stays as it is.
    """

    offset: float = 0.2
    gamma: float = 5.0
    blank: float = 0.1
    text: bool = True


class Noisy(NamedTuple):
    """What the network sees, what it should say, and how much each example counts."""

    x: Tensor
    target: Tensor
    weight: Tensor


def laid_on(latents: Tensor, noise: Tensor, sigma: Tensor, prediction: Prediction, gamma: float) -> Noisy:
    """Lay unit noise of level sigma (batch,) on latents, in the variance-preserving way.

    The weight of a velocity is min(snr + 1, gamma + 1) / (snr + 1), which stays 1 under much noise; that of the noise
    is min(snr, gamma) / snr.
    """
    snr = 1 / sigma**2
    alpha = (snr / (snr + 1)).sqrt()[:, None, None, None]
    beta = (1 / (snr + 1)).sqrt()[:, None, None, None]
    x = alpha * latents + beta * noise
    if prediction == "v":
        return Noisy(x, alpha * noise - beta * latents, (snr + 1).clamp(max=gamma + 1) / (snr + 1))
    return Noisy(x, noise, snr.clamp(max=gamma) / snr)


@lru_cache(2**18)
def token_ids(caption: str, vocabulary: int, length: int) -> tuple[int, ...]:
    """Return the ids of a caption between begin and end, cut and filled to a length."""
    tokenizer = Tokenizer(vocabulary)
    ids = [tokenizer.begin, *tokenizer.ids(caption)[: length - 2], tokenizer.end]
    return (*ids, *[tokenizer.end] * (length - len(ids)))


class DiffusionStage:
    """Trains the UNet of ``parts`` on ``latents``, which are the views of ``dataset``, scaled to unit variance.

    ``compiled`` stands in for the UNet in the training steps: the same module, or what torch.compile made of it.
    """

    name = "diffusion"
    betas = (0.9, 0.99)
    decay = 1e-3
    warmup = 40
    course: Course = staticmethod(late_linear)

    def __init__(
        self,
        parts: Parts,
        dataset: Dataset,
        latents: Tensor,
        device: Device,
        seed: int,
        batch: int,
        facts: Mapping[str, Any],
        recipe: Recipe = Recipe(),
        prompts: Sequence[str] = (),
        compiled: Callable[..., Any] | None = None,
    ) -> None:
        self.parts = parts
        self.dataset = dataset
        self.latents = latents
        self.device = device
        self.seed = seed
        self.batch = batch
        self.facts = facts
        self.recipe = recipe
        self.prompts = [*prompts] or [drawn.caption for drawn in dataset.draw(seed, SAMPLE_STEP, SHOWN)]
        self.unet = parts.unet if compiled is None else compiled
        self.sigmas = stable_diffusion().table.to(device.torch)
        self.modules: Mapping[str, nn.Module] = {"unet": parts.unet, "text": parts.text}
        parts.unet.requires_grad_(True)
        parts.text.requires_grad_(recipe.text)

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the weighted mean square error of the prediction."""
        random = generator(self.seed, step, self.device.torch)
        drawn = self.dataset.draw(self.seed, step, self.batch)
        latents = self.latents[torch.tensor([d.view for d in drawn], device=self.device.torch)]
        blank = torch.rand(self.batch, generator=generator(self.seed, step, torch.device("cpu")))
        captions = ["" if b < self.recipe.blank else d.caption for b, d in zip(blank.tolist(), drawn, strict=True)]
        t = torch.randint(len(self.sigmas), (self.batch,), generator=random, device=random.device)
        unit = torch.randn(latents.shape, generator=random, device=random.device)
        offset = torch.randn(*latents.shape[:2], 1, 1, generator=random, device=random.device)
        noisy = laid_on(
            latents, unit + self.recipe.offset * offset, self.sigmas[t], self.parts.design.prediction, self.recipe.gamma
        )
        with self.device.autocast():
            context = self._context(self.parts.text, captions)
            made = self.unet(self.device.placed(noisy.x), t, context, return_dict=False)[0]
        errors = (made.float() - noisy.target).pow(2).mean((1, 2, 3))
        return (noisy.weight * errors).mean(), {"unweighted": errors.mean()}

    def _context(self, text: Any, captions: Sequence[str]) -> Tensor:
        design = self.parts.design.text
        ids = [token_ids(caption, design["vocab_size"], design["max_position_embeddings"]) for caption in captions]
        context: Tensor = text(input_ids=torch.tensor(ids, device=self.device.torch)).last_hidden_state
        return context

    @torch.no_grad()
    def samples(self, averages: Mapping[str, nn.Module]) -> tuple[Tensor, Mapping[str, float], Mapping[str, str]]:
        """Return pictures of the prompts, sampled the way the nodes do it."""
        levels, design = stable_diffusion(), self.parts.design
        with self.device.autocast():
            contexts = self._context(averages["text"], [*self.prompts, ""]).float()
        predict = PREDICTORS[design.prediction](self._network(averages["unet"]), levels)
        guided = Guidance(predict, [Part({"context": contexts[:-1]})], [Part({"context": contexts[-1:]})], design.cfg)
        sigmas = SCHEDULES["normal"](levels, SAMPLE_STEPS)
        shape = (len(self.prompts), *self.latents.shape[1:])
        drawn = noise.starting_noise(self.seed, shape).to(self.device.torch)
        x = noise.start(torch.zeros_like(drawn), drawn, sigmas[0], levels)
        x = SOLVERS["euler"].run(guided, x, sigmas, noise.noise_for("none", self.seed, x, sigmas), ignore_step)
        pictures = torch.cat([self._decoded(latent[None]) for latent in x]).clamp(-1, 1)
        return grid(pictures, COLUMNS), {}, {"prompts": "\n".join(self.prompts)}

    def _network(self, unet: Any) -> Callable[[Tensor, Tensor, Inputs], Tensor]:
        def call(x: Tensor, timestep: Tensor, inputs: Inputs) -> Tensor:
            with self.device.autocast():
                made: Tensor = unet(self.device.placed(x), timestep, inputs["context"], return_dict=False)[0]
            return made.float()

        return call

    def _decoded(self, latent: Tensor) -> Tensor:
        with self.device.autocast():
            made: Tensor = self.parts.vae.decode(latent / (self.parts.design.scale or 1.0)).sample
        return made.float()
