"""The memo: what the planner and the scheduler ask of the store, in their words."""

import os
import re
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from engine.call import Outcome
from engine.errors import LoomisError
from engine.fingerprints import fingerprint
from engine.folders import SUFFIXES, Folders, Place, files_below, files_inside
from engine.memory import Cached
from engine.rows import Ran, Row
from engine.schema import Files, FilesBelow, FileSource, InputFolder, Mentions, ModelFolder, NodeSpec
from engine.shown_files import shown_files
from engine.store import MISSING, Store
from engine.values import Opaque, pack

LEASE_SECONDS = 10.0
TRACES = 8
"""How many earlier runs of a node type a change is looked for in."""


class Lost(LoomisError):
    """Values that are needed are gone from the store. The run makes them again."""

    def __init__(self, digests: tuple[bytes, ...]) -> None:
        super().__init__("A value is gone from the store.")
        self.digests = digests


class Memo:
    """Rows and values, fingerprints of files, what things cost and what went into them."""

    def __init__(self, store: Store, folders: Folders) -> None:
        self.store = store
        self.folders = folders
        self.places = folders
        """Where output files go: the folders, unless a run writes elsewhere."""
        self._owner = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._leases: set[bytes] = set()
        self._seconds: dict[str, tuple[float, float] | None] = {}
        self._made: dict[str, deque[Ran]] = {}
        self._earlier: dict[str, list[Ran]] = {}
        self._paths: dict[str, Path] = {}

    def writing_to(self, output: Path) -> "Memo":
        """Return this memo as a run sees it whose output files go to another folder."""
        other = copy(self)
        other.places = replace(self.folders, output=output)
        return other

    def row(self, key: bytes) -> Row | None:
        """Return what a key stands for."""
        return self.store.row(key)

    def row_at_hand(self, key: bytes) -> Row | None:
        """Return what a key stands for if this process put or read it lately."""
        return self.store.row_at_hand(key)

    def has(self, digest: bytes) -> bool:
        """Whether a value can be had without computing."""
        return self.store.has(digest)

    def value(self, digest: bytes) -> Any:
        """Return a value.

        Raises:
            Lost: it is gone.
        """
        value = self.store.get(digest)
        if value is MISSING:
            raise Lost((digest,))
        return value.value if isinstance(value, Opaque) else value

    def forget(self, digests: Collection[bytes]) -> None:
        """Drop values from memory that are not what they were. What is on disk is checked when it is read."""
        self.store.drop(digests)

    def text(self, digest: bytes) -> str | None:
        """Return the text with this digest, if it is there."""
        value = self.store.get(digest)
        return value if isinstance(value, str) else None

    def whole(self, key: bytes, row: Row) -> bool:
        """Whether the files of an output node are on disk or can be written again."""
        own = all(self.store.has(file[0]) or self._on_disk(key, index, file[3]) for index, file in enumerate(row.files))
        return own and all(path.is_file() for _, _, path in shown_files(row.note.get("notes", {}), self.places))

    def _on_disk(self, key: bytes, index: int, kind: Place) -> bool:
        folder = self.places.place(kind).resolve()
        name = self.store.names.reserved(key, index, str(folder))
        return name is not None and name.fits(folder / name.path)

    def remember(
        self, spec: NodeSpec, key: bytes, outcome: Outcome, trace: Mapping[str, Any], *, keep: bool = True
    ) -> Row:
        """Put the result of a call into the store, unless its key is like no other; return its row."""
        values = dict(outcome.values)
        files = []
        for file in outcome.files:
            packed = pack(file.data)
            values[packed.digest] = Cached(file.data, packed)
            files.append((packed.digest, file.prefix, file.suffix, file.folder, file.kind, file.width, file.height))
        note: dict[str, Any] = {"trace": trace}
        if outcome.notes:
            note["notes"] = {name: list(items) for name, items in outcome.notes.items()}
        row = Row(outcome.outputs, tuple(files), outcome.asks or None, outcome.seconds, note)
        if keep:
            self.store.put(key, row, values, type=spec.type)
            self._made.setdefault(spec.type, deque(maxlen=TRACES)).appendleft((trace, outcome.seconds))
            if not self._seconds.get(spec.type):
                self._seconds.pop(spec.type, None)  # it was asked for before anything was known
        return row

    def seconds(self, type: str) -> tuple[float, float] | None:
        """Return the range of seconds that a node type took lately, as known at the last ``refresh`` or first known."""
        known = self._seconds
        if type in known:
            return known.get(type)
        costs = self.store.recent.costs(type)
        found = known[type] = (costs.low, costs.high) if costs else None
        return found

    def refresh(self) -> None:
        """Work out anew how long things take, and what went into them before."""
        self.store.recent.refresh()
        self._seconds = {}
        self._earlier = {}

    def ran(self, type: str) -> list[Ran]:
        """Return what went into a node type and how long it took, this process's newest first, then what is on disk.

        It is what was known at the last ``refresh`` or when it was first asked for after that.
        """
        found = self._earlier.get(type)
        if found is None:
            rows = self.store.recent.rows(type, TRACES)
            stored = [(row.note["trace"], row.cost) for row in rows if row.note.get("trace")]
            found = self._earlier[type] = [*self._made.get(type, ()), *stored][:TRACES]
        return found

    def fingerprint(self, source: FileSource, name: str) -> str:
        """Return the fingerprint of the file that an input names, or of those that it may mean; empty for none."""
        if isinstance(source, Mentions):
            named = [self.folders.named(source.folder, found) for found in re.findall(source.pattern, name)]
            return " ".join(self.fingerprint(Files(source.folder), found) for found in named if found)
        if isinstance(source, FilesBelow):
            return " ".join(map(self._fingerprint, files_below(source.folders, name)))
        if isinstance(source, InputFolder):
            folder = self.folders.input_folder(name)
            return self._folder_fingerprint(folder, source.suffixes) if folder else ""
        if isinstance(source, ModelFolder):
            folder = self.folders.model_folder(source.folder, name)
            return self._folder_fingerprint(folder, (*SUFFIXES, ".json")) if folder else ""
        path = self.folders.model(source.folder, name) if isinstance(source, Files) else self.folders.input_file(name)
        return self._fingerprint(path) if path else ""

    def _folder_fingerprint(self, folder: Path, suffixes: Sequence[str]) -> str:
        hasher = blake3()
        for file in files_inside(folder, suffixes):
            hasher.update(os.fsencode(file) + b"\0" + self._fingerprint(folder / file).encode())
        return hasher.hexdigest()

    def _fingerprint(self, path: Path) -> str:
        found = fingerprint(path, self.store.files)
        self._paths[found] = path
        return found

    def path_of(self, found: str) -> Path | None:
        """Return a file that has this fingerprint now."""
        here = [self._paths[found]] if found in self._paths else []
        for path in (*here, *map(Path, self.store.files.paths_of(found))):
            if path.is_file() and fingerprint(path, self.store.files) == found:
                return path
        return None

    def lease(self, keys: Sequence[bytes]) -> bool:
        """Tell other processes that these keys are being computed. False when another computes one of them."""
        if self.store.folder is None:
            return True
        if not self.store.lease(keys, self._owner, LEASE_SECONDS):
            return False
        self._leases.update(keys)
        return True

    def release(self, keys: Sequence[bytes]) -> None:
        """Give the keys back, as soon as their rows are on disk. Does not wait for that."""
        held = self._leases.intersection(keys)
        if held:
            self._leases -= held
            self.store.release(held)
