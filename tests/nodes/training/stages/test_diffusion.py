from pathlib import Path

import pytest
import torch

from nodes.models import prompt
from nodes.models.parametrization import PREDICTORS
from nodes.models.tokenizer import Tokenizer
from nodes.sampling.noise_levels import stable_diffusion
from nodes.training.parts import build
from nodes.training.stages.diffusion import DiffusionStage, Recipe, laid_on, token_ids
from tests.nodes.training import tiny


def stage_of(folder: Path, recipe: Recipe = Recipe()) -> DiffusionStage:
    dataset = tiny.dataset(folder)
    latents = torch.randn(len(dataset.views), 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return DiffusionStage(build(tiny.DESIGN, 0), dataset, latents, tiny.DEVICE, 1, 4, {}, recipe)


@pytest.mark.parametrize("prediction", ["v", "eps"])
def test_the_target_is_what_the_sampler_takes_it_for(prediction: str) -> None:
    levels = stable_diffusion()
    torch.manual_seed(0)
    latents, noise = torch.randn(5, 4, 8, 8), torch.randn(5, 4, 8, 8)
    for t in (0, 300, 999):
        sigma = levels.table[t]
        noisy = laid_on(latents, noise, sigma.expand(5), prediction, 5.0)
        predict = PREDICTORS[prediction](lambda x, timestep, inputs, said=noisy.target: said, levels)
        x = noisy.x * (sigma**2 + 1).sqrt()
        assert torch.allclose(predict(x, sigma, {}), latents, atol=1e-4)
        assert torch.allclose(x, latents + sigma * noise, atol=1e-5)


def test_weights_are_those_of_min_snr() -> None:
    sigma = stable_diffusion().table
    snr = 1 / sigma**2
    zero = torch.zeros(1000, 1, 1, 1)
    v, eps = (laid_on(zero, zero, sigma, kind, 5.0).weight for kind in ("v", "eps"))
    assert torch.allclose(v[snr <= 5], torch.ones(1000)[snr <= 5])
    assert torch.allclose(v[snr > 5], (6 / (snr + 1))[snr > 5])
    assert torch.allclose(eps[snr > 5], (5 / snr)[snr > 5])
    assert bool((eps <= 1).all())


def test_the_first_loss_is_that_of_saying_nothing(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, Recipe(offset=0.0))
    _, others = stage.loss(0)
    assert 0.8 < others["unweighted"].item() < 1.2


def test_offset_noise_moves_whole_channels(tmp_path: Path) -> None:
    plain = stage_of(tmp_path, Recipe(offset=0.0)).loss(0)[1]["unweighted"]
    offset = stage_of(tmp_path, Recipe(offset=3.0)).loss(0)[1]["unweighted"]
    assert offset > 2 * plain


def test_blank_captions_train_the_other_side_of_guidance(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    stage = stage_of(tmp_path, Recipe(blank=0.5))
    context = stage._context
    stage._context = lambda text, captions: (seen.append([*captions]), context(text, captions))[1]  # type: ignore[method-assign]
    for step in range(8):
        stage.loss(step)
    captions = [caption for batch in seen for caption in batch]
    assert 8 <= captions.count("") <= 24
    assert all("background" in caption or " on " in caption for caption in captions if caption)


def test_without_text_only_the_unet_is_trained(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, Recipe(text=False))
    stage.loss(0)[0].backward()
    assert not any(p.requires_grad for p in stage.modules["text"].parameters())


def test_captions_become_the_ids_that_prompts_do() -> None:
    tokenizer = Tokenizer(600)
    groups = prompt.groups(prompt.parse("a red fox"), tokenizer.ids, lambda name: (name, 0))
    (chunk,) = prompt.chunks(groups, tokenizer.begin, tokenizer.end, 599, 77)
    assert token_ids("a red fox", 600, 77) == tuple(token.id for token in chunk)
    assert len(token_ids("word " * 500, 600, 77)) == 77
    assert token_ids("word " * 500, 600, 77)[-1] == 599


def test_a_compiled_network_takes_the_steps_and_the_plain_one_the_gradients(tmp_path: Path) -> None:
    plain = stage_of(tmp_path)
    parts, calls = plain.parts, []

    class Compiled:
        """Has no truth value, as what torch.compile returns has none."""

        def __bool__(self) -> bool:
            raise TypeError

        def __call__(self, *args: object, **named: object) -> object:
            calls.append(len(args))
            return parts.unet(*args, **named)

    stage = DiffusionStage(parts, plain.dataset, plain.latents, tiny.DEVICE, 1, 4, {}, compiled=Compiled())
    loss, _ = stage.loss(0)
    loss.backward()
    assert calls == [3]
    assert torch.equal(loss, plain.loss(0)[0])
    assert parts.unet.conv_out.weight.grad.any()
