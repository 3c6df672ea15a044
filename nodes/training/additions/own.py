"""Pictures that a checkpoint makes itself, as data for what is trained on top of it."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine import Engine, Folders
from engine.settings import Settings
from nodes import EMBEDDED, vocabulary
from nodes.training.device import Device
from nodes.training.parts import Parts

PEOPLE = ("a woman", "a man", "a girl", "a boy", "an old woman", "an old man", "a person", "an astronaut")
HAIR = ("red hair", "blond hair", "white hair", "curly hair", "a beard")
SKIN = ("light skin", "tan skin", "brown skin", "dark skin")
GROUNDS = ("white", "gray", "red", "blue", "light blue", "green", "yellow", "pink", "purple", "orange", "teal", "beige")
TOGETHER = 8
"""Pictures of one caption, sampled at once."""


class Own(NamedTuple):
    """Captions, and the pictures of each (count, height, width, 3) from 0 to 1."""

    captions: list[str]
    pictures: Tensor


def caption(draw: random.Random) -> str:
    """Return a sentence of words that the embedded model knows."""
    features = [draw.choice(each) for each in (HAIR, SKIN) if draw.random() < 0.7]
    known = f" with {' and '.join(features)}" if features else ""
    return f"portrait of {draw.choice(PEOPLE)}{known}, {draw.choice(GROUNDS)} background"


def own_pictures(checkpoint: str, count: int, seed: int, device: str, told: Callable[[int], None]) -> Own:
    """Make pictures as ``loomis run`` does. ``told`` hears how many there are."""
    draw = random.Random(seed)
    captions: list[str] = []
    made: list[Tensor] = []
    with Engine(vocabulary(), folders=Folders((EMBEDDED,)), settings=Settings(device=device)) as engine:
        while len(captions) < count:
            text = caption(draw)
            result = engine.run(graph(checkpoint, text, draw.randrange(2**32)), values=["6"])
            captions += [text] * TOGETHER
            made.append(result.values["6"][0][0].clone())
            told(len(captions))
    return Own(captions[:count], torch.cat(made)[:count])


def graph(checkpoint: str, text: str, seed: int) -> Mapping[str, Any]:
    """Return text to image for several pictures."""
    size = {"width": 128, "height": 128, "batch_size": TOGETHER}
    sampling = {"seed": seed, "steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": size},
        "5": {"class_type": "KSampler", "inputs": sampling | links},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    }


@torch.no_grad()
def latents(parts: Parts, pictures: Tensor, device: Device) -> Tensor:
    """Return pictures (count, height, width, 3) as latents of unit variance."""
    found = []
    for some in torch.split(pictures.movedim(-1, 1) * 2 - 1, TOGETHER):
        with device.autocast():
            found.append(parts.vae.encode(device.placed(some)).latent_dist.mean.float())
    return torch.cat(found) * (parts.design.scale or 1.0)


def checkpoint_path(name: str) -> Path:
    """Return a checkpoint that ships."""
    return EMBEDDED / "checkpoints" / name
