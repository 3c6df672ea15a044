"""Rows that differ only by seed, sampled at once: which they are, and the graph that makes them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.graph import is_link

SEEDED: Mapping[str, str] = {"KSampler": "seed", "KSamplerAdvanced": "noise_seed", "SamplerCustom": "noise_seed"}
"""Samplers that have a seed, and the input that it is."""

LINKED, RANDOM, NO_NOISE = "SamplerCustomAdvanced", "RandomNoise", "DisableNoise"
"""The sampler whose noise is a node of its own, that node, and the one that stands for no noise."""

JOINED = "Seeds"
"""What the name of a sampler ends with that takes several seeds."""

SAMPLERS = frozenset({*SEEDED, LINKED})

ALIKE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(SAMPLERS, frozenset({"latent_image"})),
    "VAEDecode": frozenset({"samples"}),
    "VAEDecodeTiled": frozenset({"samples"}),
    "VAEEncode": frozenset({"pixels"}),
    "LatentUpscale": frozenset({"samples"}),
    "LatentUpscaleBy": frozenset({"samples"}),
    "ImageScale": frozenset({"image"}),
    "ImageScaleBy": frozenset({"image"}),
    "ImageScaleToTotalPixels": frozenset({"image"}),
    "ImageUpscaleWithModel": frozenset({"image"}),
    "ImageInvert": frozenset({"image"}),
    "SaveImage": frozenset({"images"}),
    "PreviewImage": frozenset({"images"}),
}
"""Node types that treat each picture of a batch as they treat it alone, with the inputs that take the batch."""

OUTPUTS = frozenset({"SaveImage", "PreviewImage"})


Place = tuple[str, str]
"""A node and the name of its input."""


def likeness(prompt: Mapping[str, Any]) -> str | None:
    """Return a text that graphs share which differ only by the seeds of samplers; None where they can't be joined.

    All that depends on a sampler must treat each picture of a batch alone, and all files must depend on one.
    """
    below = _below(prompt)
    for node in prompt.values():
        sources = {name for name, value in node["inputs"].items() if is_link(value) and value[0] in below}
        kind = node["class_type"]
        if (sources and not sources <= ALIKE.get(kind, frozenset())) or (kind in OUTPUTS and not sources):
            return None
    if not below:
        return None
    seeds = _seeds(prompt)
    if not all(isinstance(_seed(prompt, place), int) for place in seeds.values()):
        return None
    alone = _owners(prompt, seeds)
    seedless = {id: _without(node, "seed", "noise_seed") if id in alone else node for id, node in prompt.items()}
    return json.dumps(seedless, sort_keys=True)


def _below(prompt: Mapping[str, Any]) -> set[str]:
    """Return the samplers, and every node that depends on one."""
    users: dict[str, list[str]] = defaultdict(list)
    for id, node in prompt.items():
        for value in node["inputs"].values():
            if is_link(value):
                users[value[0]].append(id)
    found: set[str] = set()
    todo = [id for id, node in prompt.items() if node["class_type"] in SAMPLERS]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += users[id]
    return found


def _seeds(prompt: Mapping[str, Any]) -> dict[str, Place]:
    """Return where each sampler has its seed. Without a node that draws noise it is nowhere."""
    found: dict[str, Place] = {}
    for id, node in prompt.items():
        kind, noise = node["class_type"], node["inputs"].get("noise")
        if kind in SEEDED:
            found[id] = id, SEEDED[kind]
        elif kind == LINKED:
            found[id] = (noise[0], "noise_seed") if is_link(noise) and noise[0] in prompt else (id, "noise_seed")
    return found


def _seed(prompt: Mapping[str, Any], place: Place) -> Any:
    """Return a seed; 0 of what draws no noise, as such samplers draw on their way from it."""
    node = prompt[place[0]]
    if node["class_type"] == NO_NOISE:
        return 0
    return node["inputs"].get(place[1]) if node["class_type"] in (*SEEDED, RANDOM) else None


def _owners(prompt: Mapping[str, Any], seeds: Mapping[str, Place]) -> set[str]:
    """Return the nodes whose seeds nothing uses but samplers."""
    used = {
        value[0]
        for node in prompt.values()
        for name, value in node["inputs"].items()
        if is_link(value) and not (node["class_type"] == LINKED and name == "noise")
    }
    return {id for id, _ in seeds.values() if prompt[id]["class_type"] != RANDOM or id not in used}


def _without(node: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return {**node, "inputs": {name: value for name, value in node["inputs"].items() if name not in names}}


def join(prompts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one graph for graphs that are alike: every sampler takes the seeds of all."""
    first = prompts[0]
    below = _below(first)
    found = dict(first)
    for id, place in _seeds(first).items():
        kind = first[id]["class_type"]
        inputs = dict(_without(first[id], "seed", "noise_seed", "noise")["inputs"])
        inputs["seeds"] = [_seed(prompt, place) for prompt in prompts]
        inputs["joined"] = inputs["latent_image"][0] in below
        if kind == LINKED:
            inputs["add_noise"] = first[place[0]]["class_type"] == RANDOM
        found[id] = {**first[id], "class_type": kind + JOINED, "inputs": inputs}
    drawn = {place[0] for place in _seeds(first).values() if first[place[0]]["class_type"] in (RANDOM, NO_NOISE)}
    used = {value[0] for node in found.values() for value in node["inputs"].values() if is_link(value)}
    return {id: node for id, node in found.items() if id not in drawn or id in used}


def share(files: Sequence[Any], rows: int) -> Iterator[Sequence[Any]]:
    """Take the files of an output node apart: those of each row."""
    each = len(files) // rows
    return (files[row * each : (row + 1) * each] for row in range(rows))
