"""Whether a workflow would run here, and what it lacks if not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from engine.binding import unknown_type
from engine.errors import Fault, ValidationError, WorkflowError
from engine.folders import Folders
from engine.formats import Diagnostic, Loaded
from engine.formats.models import ModelHint, model_hints
from engine.graph import Graph, Node, is_link, read_graph
from engine.node import Registry
from engine.schema import Files, InputFile, InputFolder, ModelFolder
from engine.validate import validate

State = Literal["runs", "in part", "refused"]
Kind = Literal["type", "model", "file", "value"]


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing or wrong, and what to do about it.

    ``name`` is a node type, ``folder/name`` of a model, the name of an input file, or for a ``value`` what is wrong.
    ``nodes`` are the ids of the nodes that need it. ``url`` is where the file says that the model is to be had.
    """

    kind: Kind
    name: str
    nodes: tuple[str, ...] = ()
    do: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """``in part`` means that it runs, less nodes that no output here depends on."""

    state: State
    lacks: tuple[Lack, ...]
    diagnostics: tuple[Diagnostic, ...]


def examine(loaded: Loaded, registry: Registry, folders: Folders) -> Examined:
    """Return whether a workflow would run with these nodes and files."""
    state: State = "refused"
    faults: tuple[Fault, ...] = ()
    graph = Graph({})
    lacks: list[Lack] = []
    try:
        graph = read_graph(loaded.prompt)
        faults = validate(graph, registry, folders).faults
        state = "in part"
    except ValidationError as error:
        faults = error.faults
    except WorkflowError as error:
        lacks.append(Lack("value", error.message, (), error.hint))
    if loaded.faults:
        state = "refused"
    hints = model_hints(loaded.saved)
    strange = sorted((node for node in graph.nodes.values() if node.class_type not in registry), key=_packless)
    unknown = [unknown_type(node, registry) for node in strange]
    others = [fault for fault in faults if fault.code != "missing_node_type"]
    lacks += [_lack(fault, graph, registry, hints) for fault in (*loaded.faults, *unknown, *others)]
    lacks += _unseen_models(graph, registry, folders, hints)
    return Examined(state if lacks else "runs", tuple(_merged(lacks)), loaded.diagnostics)


def _packless(node: Node) -> bool:
    """Nodes that tell their pack come first, and tell it for all of their type."""
    return node.pack is None


def _lack(fault: Fault, graph: Graph, registry: Registry, hints: dict[str, ModelHint]) -> Lack:
    nodes = (fault.node,) if fault.node else ()
    if fault.code == "missing_node_type":
        return Lack("type", fault.class_type or "", nodes, fault.hint)
    if fault.code == "value_not_in_list" and fault.node and fault.input and fault.class_type:
        source = registry[fault.class_type].ports[fault.input].choices
        value = str(graph.nodes[fault.node].inputs[fault.input])
        if isinstance(source, Files | ModelFolder):
            return _model(value, source.folder, hints.get(_base(value)), fault.node, fault.hint or "")
        if isinstance(source, InputFile | InputFolder):
            return Lack("file", value, nodes, fault.hint)
    return Lack("value", fault.message, nodes, fault.hint)


def _model(name: str, folder: str, hint: ModelHint | None, node: str, do: str) -> Lack:
    url = hint.url if hint else None
    return Lack("model", f"{folder}/{name}".replace("\\", "/"), (node,), do + (f" It is at {url}" if url else ""), url)


def _unseen_models(graph: Graph, registry: Registry, folders: Folders, hints: dict[str, ModelHint]) -> Iterator[Lack]:
    """Yield the missing models of unknown node types, as far as the file describes them."""
    for node in graph.nodes.values():
        if node.class_type in registry:
            continue
        for value in node.inputs.values():
            hint = hints.get(_base(value)) if isinstance(value, str) and not is_link(value) else None
            if hint and folders.model(hint.folder, hint.name) is None:
                where = next(iter(folders.roots(hint.folder)), hint.folder)
                yield _model(hint.name, hint.folder, hint, node.id, f"Put the file into {where}.")


def _base(value: str) -> str:
    return PurePosixPath(value.replace("\\", "/")).name


def _merged(lacks: Iterable[Lack]) -> Iterator[Lack]:
    """Yield each lack once, with all the nodes that have it; types first, then models, files and values."""
    found: dict[tuple[str, str], Lack] = {}
    for lack in lacks:
        known = found.setdefault((lack.kind, lack.name), lack)
        nodes = tuple(dict.fromkeys((*known.nodes, *lack.nodes)))
        found[lack.kind, lack.name] = replace(known, nodes=nodes)
    for kind in ("type", "model", "file", "value"):
        yield from (lack for lack in found.values() if lack.kind == kind)
