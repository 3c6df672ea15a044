"""Node types looked for by words: ``loomis nodes WORD``, and an editor that adds a node."""

from collections.abc import Iterable, Sequence

from engine.node import NodeSpec
from engine.spelling import nearest

MOST_ALIKE = 5


def search(word: str, specs: Iterable[NodeSpec]) -> list[NodeSpec]:
    """Return the node types that have all parts of ``word``: first those that have them in their names.

    Of these, one that is called so comes first, then those whose names begin so.
    """
    parts = word.lower().split()
    ranked = [(rank, spec) for spec in specs for rank in [_rank(parts, spec)] if rank is not None]
    start = " ".join(parts)
    return [spec for _, spec in sorted(ranked, key=lambda each: (each[0], *_place(start, each[1])))]


def _place(start: str, spec: NodeSpec) -> tuple[bool, bool, str, str]:
    names = (spec.type.lower(), spec.display_name.lower())
    return start not in names, not any(name.startswith(start) for name in names), spec.category, spec.type


def _rank(parts: Sequence[str], spec: NodeSpec) -> int | None:
    """Return 0 where the parts stand in the names of a type, 1 in its sockets, 2 in what it says; None: nowhere."""
    inputs = [f"{port.name} {port.type}" for port in spec.inputs]
    sockets = " ".join([*inputs, *(f"{slot.name} {slot.type}" for slot in spec.outputs)])
    texts = (f"{spec.type} {spec.display_name}", sockets, f"{spec.category} {spec.description}")
    for rank in range(len(texts)):
        if all(part in " ".join(texts[: rank + 1]).lower() for part in parts):
            return rank
    return None


def spelled_alike(word: str, specs: Iterable[NodeSpec]) -> list[NodeSpec]:
    """Return the few node types whose types or titles are spelled most like ``word``, the nearest first."""
    names = {name: spec for spec in specs for name in (spec.display_name, spec.type)}
    found: dict[str, NodeSpec] = {}
    while len(found) < MOST_ALIKE and (near := nearest(word, names)):
        spec = names.pop(near)
        found[spec.type] = spec
    return list(found.values())
