"""Saved format to API format: parse, unfold subgraphs, resolve, emit.

Total: any JSON object gives a graph and diagnostics. Time and memory grow with the size of the file and with what its
subgraphs unfold to, which is bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.formats.catalogue import Catalogue
from engine.formats.checks import check_entry
from engine.formats.diagnostics import Diagnostic, Report
from engine.formats.emit import Entry, as_api, make_entry, runs
from engine.formats.groupnodes import unfold_group_nodes
from engine.formats.parse import parse_document
from engine.formats.replace import Prefix
from engine.formats.resolve import Resolver
from engine.formats.scopes import Scope, build_scopes
from engine.formats.seeds import resolve_seeds
from engine.formats.texts import Prefixes, resolve_prompts
from engine.formats.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Converted:
    """``prompt`` is the API graph; ``controls`` is node id -> input -> fixed, increment, decrement or randomize.

    ``prefixes`` are file name prefixes with values of nodes, by node and input.
    """

    prompt: dict[str, dict[str, Any]]
    diagnostics: tuple[Diagnostic, ...]
    controls: dict[str, dict[str, str]]
    prefixes: dict[tuple[str, str], Prefix]


def convert(saved: Mapping[str, Any], catalogue: Catalogue, *, seed: int, now: datetime) -> Converted:
    """Return the API graph of a saved document. ``seed`` decides dynamic prompts, ``now`` the date in file names."""
    report = Report()
    document = unfold_group_nodes(parse_document(saved, report), catalogue, report)
    vocabulary = Vocabulary(catalogue, document.definitions)
    scopes = build_scopes(document, vocabulary, report)
    entries = _entries(scopes, vocabulary, report)
    resolve_seeds(entries.values(), seed, report)
    resolve_prompts(entries.values(), seed, report)
    prefixes = Prefixes(scopes, entries.values(), vocabulary, now, report)
    for entry in entries.values():
        prefixes.resolve(entry)
        check_entry(entry, vocabulary, report)
    prompt = {path: as_api(entry, _title(entry, vocabulary)) for path, entry in entries.items()}
    controls = {path: entry.values.controls for path, entry in entries.items() if entry.values.controls}
    return Converted(prompt, report.finish(), controls, prefixes.found)


def _entries(scopes: list[Scope], vocabulary: Vocabulary, report: Report) -> dict[str, Entry]:
    """Return the nodes that run, by id. Wires to nodes that don't run are dropped."""
    resolver = Resolver(vocabulary, report)
    entries: dict[str, Entry] = {}
    for scope in scopes:
        for node in scope.graph.nodes.values():
            if not runs(node, vocabulary):
                continue
            if scope.path(node) in entries:
                report.add("duplicate_node", "Two nodes unfold to one id; the first is used.", node=scope.path(node))
                continue
            entries[scope.path(node)] = make_entry(scope, node, vocabulary, resolver, report)
    for entry in entries.values():
        for name in [name for name, wire in entry.wires.items() if wire.node not in entries]:
            entry.literals.pop(name, None)
            del entry.wires[name]
    return entries


def _title(entry: Entry, vocabulary: Vocabulary) -> str:
    info = vocabulary.info(entry.node)
    return entry.node.title or (info.display_name if info else entry.node.type)
