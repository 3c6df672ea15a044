"""Which model files a saved document says it needs, and where it says they are to be had."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import FileError
from engine.folders import confined

MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class ModelHint:
    """A model file: its name, its folder (``checkpoints``), and where to download it if the document says so."""

    name: str
    folder: str
    url: str | None


def model_hints(saved: Mapping[str, Any] | None) -> dict[str, ModelHint]:
    """Return what a document says of model files, by name. Names that leave their folder are passed over."""
    hints = (_hint(item) for entry in _entries(saved or {}) for item in _list(entry))
    return {hint.name: hint for hint in hints if hint is not None}


def _entries(saved: Mapping[str, Any]) -> Iterator[Any]:
    """Yield every list of models: of the document, and of the nodes in it and in its subgraphs."""
    graphs: list[tuple[Any, int]] = [(saved, 0)]
    while graphs:
        graph, depth = graphs.pop()
        if not isinstance(graph, Mapping) or depth > MAX_DEPTH:
            continue
        yield graph.get("models")
        for node in _list(graph.get("nodes")):
            properties = node.get("properties") if isinstance(node, Mapping) else None
            yield properties.get("models") if isinstance(properties, Mapping) else None
        definitions = graph.get("definitions")
        inner = definitions.get("subgraphs") if isinstance(definitions, Mapping) else None
        graphs += [(each, depth + 1) for each in _list(inner)]


def _list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _hint(item: Any) -> ModelHint | None:
    if not isinstance(item, Mapping):
        return None
    name, folder, url = item.get("name"), item.get("directory"), item.get("url")
    if not isinstance(name, str) or not isinstance(folder, str):
        return None
    try:
        name, folder = confined(name).as_posix(), confined(folder).as_posix()
    except FileError:
        return None
    return ModelHint(name, folder, url if isinstance(url, str) and url.startswith(("https://", "http://")) else None)
