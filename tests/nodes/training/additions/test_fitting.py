import torch
from torch import nn

from nodes.training.additions.fitting import contexts, fit
from nodes.training.additions.own import checkpoint_path
from nodes.training.device import Device
from nodes.training.parts import load
from nodes.training.stages.diffusion import Recipe

CPU = Device(torch.device("cpu"), torch.float32)


def test_what_is_fitted_learns_and_sees_the_places_of_its_examples():
    parts = load(checkpoint_path("tiny-portrait.safetensors"))
    gain = nn.Parameter(torch.zeros(()))
    latents = torch.ones(2, 4, 4, 4)
    seen, losses = [], []

    def predict(x, times, context, at):
        seen.append((context.shape, set(at.tolist())))
        return -gain * latents[at]

    fit(parts, [gain], predict, latents, ["a", "b"], CPU, steps=60, batch=16, rate=0.1, recipe=Recipe(offset=0.0),
        seed=1, told=lambda step, loss: losses.append(loss))  # fmt: skip
    assert {places for _, shown in seen for places in shown} == {0, 1} and seen[0][0] == (16, 77, 128)
    assert sum(losses[-10:]) < sum(losses[:10]) and gain > 0.2


def test_the_last_context_is_that_of_no_caption():
    parts = load(checkpoint_path("tiny-portrait.safetensors"))
    found = contexts(parts, ["portrait of a man", ""], CPU)
    assert found.shape == (3, 77, 128) and torch.equal(found[1], found[2]) and not torch.equal(found[0], found[2])
