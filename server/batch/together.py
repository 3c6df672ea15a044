"""Rows that differ only by seed, sampled at once: which they are, and the graph that makes them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.graph import is_link

SAMPLER, JOINED = "KSampler", "KSamplerSeeds"
ALIKE: Mapping[str, frozenset[str]] = {
    "KSampler": frozenset({"latent_image"}),
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
        if kind == SAMPLER and not isinstance(node["inputs"].get("seed"), int):
            return None
    if not below:
        return None
    seedless = {id: _without_seed(node) for id, node in prompt.items()}
    return json.dumps(seedless, sort_keys=True)


def _below(prompt: Mapping[str, Any]) -> set[str]:
    """Return the samplers, and every node that depends on one."""
    users: dict[str, list[str]] = defaultdict(list)
    for id, node in prompt.items():
        for value in node["inputs"].values():
            if is_link(value):
                users[value[0]].append(id)
    found: set[str] = set()
    todo = [id for id, node in prompt.items() if node["class_type"] == SAMPLER]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += users[id]
    return found


def _without_seed(node: Mapping[str, Any]) -> Mapping[str, Any]:
    if node["class_type"] != SAMPLER:
        return node
    return {**node, "inputs": {name: value for name, value in node["inputs"].items() if name != "seed"}}


def join(prompts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one graph for graphs that are alike: every sampler takes the seeds of all."""
    first = prompts[0]
    below = _below(first)
    found = dict(first)
    for id in below:
        if first[id]["class_type"] == SAMPLER:
            seeds = [prompt[id]["inputs"]["seed"] for prompt in prompts]
            inputs = dict(_without_seed(first[id])["inputs"])
            joined = inputs["latent_image"][0] in below
            found[id] = {**first[id], "class_type": JOINED, "inputs": {**inputs, "seeds": seeds, "joined": joined}}
    return found


def share(files: Sequence[Any], rows: int) -> Iterator[Sequence[Any]]:
    """Take the files of an output node apart: those of each row."""
    each = len(files) // rows
    return (files[row * each : (row + 1) * each] for row in range(rows))
