"""Which model files a workflow brings together, and whether their latents mean the same. Known before anything runs."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from engine.binding import BoundNode
from engine.errors import Fault, LoomisError
from engine.folders import Folders
from engine.graph import Link
from engine.node import registry
from engine.schema import Files

SOURCES = ("checkpoints", "diffusion_models", "vae")
"""Folders whose files decide what latents mean."""

FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "MODEL": ("MODEL",),
    "CLIP": ("CLIP",),
    "VAE": ("VAE",),
    "GUIDER": ("MODEL", "GUIDER"),
    "LATENT": ("MODEL", "GUIDER", "VAE", "LATENT"),
}
"""What an output of a type has its meaning from: the first input of these types that the node has."""

MEANING = ("VAE", "MODEL", "GUIDER")
"""The types of inputs that a latent beside them has to fit."""


PARTS: Mapping[str, str] = {"VAE": "VAE", "CLIP": "text encoder"}
"""What outputs of a checkpoint are, which it may lack."""


class Source(NamedTuple):
    """A model file by the name that a workflow has for it."""

    folder: str
    name: str


class Meaning(NamedTuple):
    """What the latents of a file are: ``space`` as in ``LatentFormat``, None where it does not tell."""

    space: str | None
    channels: int

    def __str__(self) -> str:
        return self.space or f"{self.channels} channels"


def differ(one: Meaning | None, other: Meaning | None) -> bool:
    """Tell whether the latents of two files are known to be different."""
    if one is None or other is None:
        return False
    return one.channels != other.channels or (None not in (one.space, other.space) and one.space != other.space)


@registry.check
def misfits(nodes: Mapping[str, BoundNode], folders: Folders) -> list[Fault]:
    """Return a fault for every node that gets a latent of one family and a VAE or model of another.

    Files are looked into only where a latent meets another file than the one it comes from. What a file does not tell
    is no fault, and nor is what goes into a node that is not ours, or comes from one.
    """
    found: list[Fault] = []
    for node in nodes.values():
        latent, partner = _link(node, ("LATENT",)), _link(node, MEANING)
        if latent is None or partner is None or node.spec.foreign:
            continue
        sources = _source(latent[1], nodes), _source(partner[1], nodes)
        if None in sources or sources[0] == sources[1]:
            continue
        meanings = [_meaning(source, folders) for source in sources if source]
        if differ(*meanings):
            named = [f"{s.name} ({m})" for s, m in zip(sources, meanings, strict=True) if s]
            found.append(_misfit(node, latent[0], named))
    return found


@registry.check
def missing_parts(nodes: Mapping[str, BoundNode], folders: Folders) -> list[Fault]:
    """Return a fault for every node that needs a VAE or a text encoder of a checkpoint that has none.

    Nodes that only hand it on, and may do without, get none, nor do those that are not ours.
    """
    found: list[Fault] = []
    for node in nodes.values():
        for name, link in node.links.items():
            port = node.spec.ports.get(name)
            kind = PARTS.get(port.type) if port and port.required else None
            given = {output.type for output in node.spec.outputs}
            if port is None or kind is None or node.spec.foreign or port.type in given:
                continue
            source = _source(link, nodes)
            if source and source.folder == "checkpoints" and port.type in _lacking(source, folders):
                found.append(_lacks(node, name, source.name, kind))
    return found


def _lacks(node: BoundNode, input: str, name: str, kind: str) -> Fault:
    return Fault(
        "custom_validation_failed",
        f"Node {node.id}: {name} holds no {kind}.",
        node=node.id,
        class_type=node.spec.type,
        input=input,
        got=f"a checkpoint without a {kind}",
        expected=f"a {kind}",
        hint=f"Load one from a file of its own, with {'VAELoader' if kind == 'VAE' else 'CLIPLoader'}.",
    )


def _misfit(node: BoundNode, input: str, named: list[str]) -> Fault:
    return Fault(
        "custom_validation_failed",
        f"Node {node.id}: a latent of {named[0]} does not fit {named[1]}.",
        node=node.id,
        class_type=node.spec.type,
        input=input,
        got=f"a latent of {named[0]}",
        expected=f"a latent of the family of {named[1]}",
        hint="Use the VAE that belongs to the model; between two models, decode with one and encode with the other.",
    )


def _link(node: BoundNode, types: tuple[str, ...]) -> tuple[str, Link] | None:
    """Return the first input that is linked and of one of the types, the earlier types first."""
    linked = (
        (name, node.links[name])
        for kind in types
        for name, port in node.spec.ports.items()
        if port.type == kind and name in node.links
    )
    return next(linked, None)


def _source(link: Link, nodes: Mapping[str, BoundNode]) -> Source | None:
    """Return the file that gives an output its meaning; None where that is not known."""
    seen: set[str] = set()
    while (node := nodes.get(link.node)) and node.id not in seen and not node.spec.foreign:
        seen.add(node.id)
        followed = _link(node, FOLLOWED.get(node.spec.outputs[link.slot].type, ()))
        if followed is None:
            return _loaded(node)
        link = followed[1]
    return None


def _loaded(node: BoundNode) -> Source | None:
    for name, files in node.spec.files.items():
        if isinstance(files, Files) and files.folder in SOURCES and isinstance(node.literals.get(name), str):
            return Source(files.folder, node.literals[name])
    return None


def _meaning(source: Source, folders: Folders) -> Meaning | None:
    """Return what the latents are that a file takes and gives; None where it can't be read without torch."""
    version = _version(source, folders)
    return _told(*version) if version else None


def _lacking(source: Source, folders: Folders) -> frozenset[str]:
    """Return which of ``PARTS`` a file does not hold; none where it can't be read without torch."""
    version = _version(source, folders)
    return _untold(*version) if version else frozenset()


def _version(source: Source, folders: Folders) -> tuple[Path, int, int] | None:
    """Return where a file is and what changes when it is replaced; None where it is gone."""
    path = folders.model(source.folder, source.name)
    return (path, path.stat().st_mtime_ns, path.stat().st_size) if path else None


@lru_cache(maxsize=256)
def _untold(path: Path, changed: int, size: int) -> frozenset[str]:
    from nodes.models.families.components import has_text_encoder, has_vae
    from nodes.models.weights import told_by_header

    try:
        weights = told_by_header(path)
    except (LoomisError, OSError):
        return frozenset()
    if weights is None:
        return frozenset()
    held = {"VAE": has_vae(weights), "CLIP": has_text_encoder(weights)}
    return frozenset(kind for kind, is_there in held.items() if not is_there)


@lru_cache(maxsize=256)
def _told(path: Path, changed: int, size: int) -> Meaning | None:
    from nodes.models import families
    from nodes.models.families.facts import PREDICTION
    from nodes.models.weights import told_by_header

    try:
        weights = told_by_header(path)
        if weights is None:
            return None
        stated = {**weights.metadata, PREDICTION: "eps"}  # else a tensor is read for it, which takes torch
        latent = families.detect(replace(weights, metadata=stated)).latent
        return Meaning(latent.space, latent.channels)
    except (LoomisError, OSError):
        return None
