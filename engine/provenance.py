"""Where a file comes from: what goes into each output besides the workflow, as the text ``loomis``.

``{"parameters": declarations, "source": API graph, "made": {"node", "index", "result", "parameters", "files",
"versions", "settings"}}``. ``source`` is the graph as it was given, where another ran and no saved document tells it.
``result`` is blake3 of the file as the node encoded it, without the texts; ``files`` are all that the graph names, with
blake3 of their content.
"""

import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from blake3 import blake3
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.binding import BoundNode
from engine.fingerprints import KnownFiles, whole_digest
from engine.folders import SUFFIXES, Folders, files_below, files_inside
from engine.formats import Diagnostic, Loaded
from engine.formats.detect import is_api
from engine.schema import Files, FilesBelow, FileSource, InputFile, InputFolder, Mentions, ModelFolder
from engine.settings import Settings

PICKS = frozenset({"dynamic_prompt", "random_seed"})
"""Remarks that tell of a choice which was made while the file was read."""


class MadeFile(BaseModel):
    """A model or input file as a picture names it."""

    kind: str
    name: str
    blake3: str


class Made(BaseModel):
    """What a file says of how it was made."""

    model_config = ConfigDict(extra="allow")

    node: str = ""
    index: int = 0
    result: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    files: list[MadeFile] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)


RECORDED = PICKS | {"model_mapped"}
"""Remarks that go into the provenance."""


@dataclass(frozen=True)
class Provenance:
    """What one run says of itself in its files.

    ``declared`` is what the workflow declares, ``parameters`` the values that were in force, ``notes`` more to say.
    ``source`` is the API graph as it was given, where the one that ran is another.
    """

    nodes: Mapping[str, BoundNode]
    folders: Folders
    known: KnownFiles
    settings: Settings
    declared: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[Diagnostic] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] | None = None

    def of_file(self, node: str, index: int, data: bytes) -> dict[str, Any]:
        """Return what goes into file ``index`` of a node's call; ``data`` is the file without texts."""
        made = {"node": node, "index": index, "result": blake3(data).hexdigest()} | self._of_run
        declared = {"parameters": dict(self.declared)} if self.declared else {}
        source = {"source": self.source} if self.source else {}
        return declared | source | {"made": made}

    @cached_property
    def _of_run(self) -> dict[str, Any]:
        picks = picks_of(self.remarks)
        return {
            "parameters": dict(self.parameters),
            "files": list(self._files()),
            "versions": dict(versions(self.settings)),
            "settings": {
                "device": self.settings.device,
                "precision": self.settings.precision,
                "ancestral_noise": self.settings.ancestral_noise,
                **({"compile": True} if self.settings.compile else {}),
            },
            **({"picks": picks} if picks else {}),
            **self.notes,
        }

    def _files(self) -> Iterator[dict[str, Any]]:
        """Yield every file that a literal names, once."""
        found: dict[Path, tuple[str, str]] = {}
        for node in self.nodes.values():
            for name, value in node.literals.items():
                for kind, file, path in _named(node.spec.ports[name].files, value, self.folders):
                    found.setdefault(path, (kind, file))
        for path, (kind, file) in found.items():
            yield {"kind": kind, "name": file, "blake3": whole_digest(path, self.known)}


def _named(source: FileSource | None, value: Any, folders: Folders) -> Iterator[tuple[str, str, Path]]:
    """Yield kind, name and path of the files that a literal names."""
    match source:
        case Files(folder):
            path = folders.model(folder, value)
            if path:
                yield folder, value, path
        case InputFile():
            path = folders.input_file(value)
            if path:
                yield "input", value, path
        case InputFolder(suffixes):
            if below := folders.input_folder(value):
                yield from (("input", f"{value}/{file}", below / file) for file in files_inside(below, suffixes))
        case ModelFolder(folder):
            if below := folders.model_folder(folder, value):
                names = files_inside(below, (*SUFFIXES, ".json"))
                yield from ((folder, f"{value}/{file}", below / file) for file in names)
        case FilesBelow(roots):
            for path in files_below(roots, value):
                yield path.parent.name, str(value), path
        case Mentions(folder, pattern):
            for mentioned in re.findall(pattern, value):
                name = folders.named(folder, mentioned)
                path = folders.model(folder, name) if name else None
                if name and path:
                    yield folder, name, path


def picks_of(remarks: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return what was chosen while a file was read, and from what."""
    return [
        {"node": each.node, "input": each.input, "from": each.got, "picked": each.message}
        for each in remarks
        if each.code in RECORDED
    ]


def made_of(loaded: Loaded) -> Mapping[str, Any]:
    """Return what a file says of how it was made, in its regular form; nothing where it says nothing of that form."""
    try:
        return Made.model_validate(loaded.loomis.get("made") or {}).model_dump(exclude_unset=True)
    except ValidationError:
        return {}


def source_of(loaded: Loaded) -> Mapping[str, Any] | None:
    """Return the API graph that a file says it was made from, before values were set; None where it says nothing."""
    source = loaded.loomis.get("source")
    return source if is_api(source) else None


@cache
def versions(settings: Settings) -> Mapping[str, str]:
    """Return the versions of Loomis, Python and the library that computes."""
    from importlib.metadata import version  # slow to import, and only what writes files needs it

    library = settings.runtime.partition(" ")[0]
    return {"loomis": version("loomis"), "python": platform.python_version()} | (
        {library: version(library)} if library else {}
    )
