import random
import re

import torch

from engine import Engine, Folders, Settings
from nodes import EMBEDDED, vocabulary
from nodes.training.additions.own import TOGETHER, caption, checkpoint_path, graph, latents
from nodes.training.device import Device
from nodes.training.parts import load


def test_captions_are_sentences_that_the_model_knows_and_the_same_again():
    draws = [random.Random(3), random.Random(3)]
    found = [[caption(draw) for _ in range(50)] for draw in draws]
    assert found[0] == found[1] and len(set(found[0])) > 40
    form = r"portrait of an? [a-z ]+?( with [a-z ]+)?, [a-z ]+ background"
    assert all(re.fullmatch(form, text) for text in found[0])


def test_the_workflow_of_the_pictures_is_valid():
    with Engine(vocabulary(), folders=Folders((EMBEDDED,)), settings=Settings(device="cpu")) as engine:
        bound = engine.check(graph("tiny-portrait.safetensors", "portrait of a man", 7), values=["6"])
    assert bound.nodes["4"].literals["batch_size"] == TOGETHER


def test_latents_have_unit_variance_and_come_in_order():
    parts = load(checkpoint_path("tiny-portrait.safetensors"))
    pictures = torch.rand(TOGETHER + 1, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    found = latents(parts, pictures, Device(torch.device("cpu"), torch.float32))
    assert found.shape == (TOGETHER + 1, 4, 8, 8)
    alone = latents(parts, pictures[-1:], Device(torch.device("cpu"), torch.float32))
    assert torch.allclose(found[-1:], alone, atol=1e-4)
