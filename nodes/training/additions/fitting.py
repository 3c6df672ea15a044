"""Train what is added to a UNet, while the UNet itself stays as it is."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from nodes.sampling.noise_levels import stable_diffusion
from nodes.training.device import Device, generator
from nodes.training.parts import Parts
from nodes.training.stages.diffusion import Recipe, laid_on, token_ids

WARMUP = 20

Predict = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From noisy latents, time steps, prompts and the places of the examples to the prediction."""


@torch.no_grad()
def contexts(parts: Parts, captions: Sequence[str], device: Device) -> Tensor:
    """Return the encoded captions, and that of no caption as the last one."""
    design = parts.design.text
    ids = [token_ids(text, design["vocab_size"], design["max_position_embeddings"]) for text in (*captions, "")]
    encoded: Tensor = parts.text(input_ids=torch.tensor(ids, device=device.torch)).last_hidden_state
    return encoded


def fit(
    parts: Parts,
    parameters: Iterable[nn.Parameter],
    predict: Predict,
    latents: Tensor,
    captions: Sequence[str],
    device: Device,
    *,
    steps: int,
    batch: int,
    rate: float,
    recipe: Recipe,
    seed: int,
    told: Callable[[int, float], None],
) -> None:
    """Let ``parameters`` learn to denoise ``latents`` (count, channels, height, width). ``told`` hears of each step."""
    optimizer = torch.optim.AdamW(parameters, rate, betas=(0.9, 0.99), weight_decay=1e-3)
    known = contexts(parts, captions, device)
    sigmas = stable_diffusion().table.to(device.torch)
    for step in range(steps):
        share = min((step + 1) / WARMUP, 1.0, 2 * (1 - step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * share
        random = generator(seed, step, device.torch)
        at = torch.randint(len(latents), (batch,), generator=random, device=random.device)
        times = torch.randint(len(sigmas), (batch,), generator=random, device=random.device)
        blank = torch.rand(batch, generator=random, device=random.device) < recipe.blank
        drawn = torch.randn(latents[at].shape, generator=random, device=random.device)
        drawn = drawn + recipe.offset * torch.randn(*drawn.shape[:2], 1, 1, generator=random, device=random.device)
        noisy = laid_on(latents[at], drawn, sigmas[times], parts.design.prediction, recipe.gamma)
        with device.autocast():
            made = predict(device.placed(noisy.x), times, known[torch.where(blank, len(captions), at)], at)
        loss = (noisy.weight * (made.float() - noisy.target).pow(2).mean((1, 2, 3))).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        told(step + 1, loss.item())
