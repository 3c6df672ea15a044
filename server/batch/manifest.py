"""What a batch has done: one JSON object a line, appended and synced row by row, so that a kill loses no row.

The first line describes the batch. Each other line is a row: ``row``, ``state`` (done or failed), ``key``, ``values``,
``files`` and ``seconds``, or ``error``. A later line about a row replaces an earlier one. A line that a kill cut off is
dropped when the manifest is opened again.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, BinaryIO, Self

from filelock import FileLock, Timeout

from engine.errors import FileError, StoreError
from engine.outputs import unwritable

VERSION = 1
BEGINNING = b'{"manifest": 1'


class Manifest:
    """The manifest of one batch, open for this process alone.

    ``head`` is the first line; ``rows`` maps row numbers to the last line about each. ``names`` are those of all files
    that rows ever had: only these may be replaced. ``advice`` says what to do where another manifest is.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], advice: str = "Choose another file.") -> None:
        """Open a manifest, or begin it with ``head``.

        Raises:
            StoreError: another process has it open.
            FileError: it can't be written, is something else, or that of another workflow.
        """
        self.path = path
        self.advice = advice
        self.rows: dict[int, dict[str, Any]] = {}
        self.names: set[str] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0, thread_local=False)
            self._lock.acquire()
        except Timeout:
            raise StoreError(
                f"Another process works on {path}.", got=str(path), expected="one at a time", hint="Wait for it."
            ) from None
        except OSError as error:
            raise unwritable(path.parent, error) from error
        try:
            self.head = self._read() or {"manifest": VERSION, **head}
            self._check_workflow(head)
            self._file = self._opened()
            if not self.path.stat().st_size:
                self._append(self.head)
        except BaseException:
            self._lock.release()
            raise

    def _read(self) -> dict[str, Any] | None:
        """Take in the whole lines of the file, and cut off the rest."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unwritable(self.path, error) from error
        whole = data.rfind(b"\n") + 1
        lines = []
        for line in data[:whole].splitlines():
            with suppress(ValueError):
                lines.append(json.loads(line))
        first = lines[0] if lines else None
        began = first is None and BEGINNING.startswith(data[: len(BEGINNING)])
        if not began and not (isinstance(first, dict) and first.get("manifest") == VERSION):
            raise FileError(
                f"{self.path} is no manifest of a batch.",
                got=data[:60].decode("utf-8", "replace"),
                expected="a manifest, or no file",
                hint=self.advice,
            )
        if whole < len(data):
            os.truncate(self.path, whole)
        noted = [line for line in lines[1:] if isinstance(line, dict) and "row" in line]
        self.rows = {line["row"]: line for line in noted}
        self.names = {name for line in noted for name in line["files"]}
        return first

    def _check_workflow(self, head: Mapping[str, Any]) -> None:
        """See that the workflow is called as that which began the manifest, in whatever folder it is."""
        began, asked = (PurePath(str(each.get("workflow", ""))).name for each in (self.head, head))
        if began != asked:
            raise FileError(
                f"{self.path} is that of another workflow.",
                got=asked,
                expected=began,
                hint=self.advice,
            )

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("ab")
        except OSError as error:
            raise unwritable(self.path.parent, error) from error

    def done(self, row: int, key: str, root: Path) -> bool:
        """Whether a row was done with the same graph, and its files are there."""
        line = self.rows.get(row)
        if line is None or line["state"] != "done" or line["key"] != key:
            return False
        return all((root / name).is_file() for name in line["files"])

    def lines(self, count: int) -> list[dict[str, Any]]:
        """Return the last line about each of the first rows; an empty one for a row that has none."""
        return [self.rows.get(number, {}) for number in range(1, count + 1)]

    def write(self, row: int, line: Mapping[str, Any]) -> dict[str, Any]:
        """Append what became of a row; it is on disk when this returns."""
        whole = {"row": row, **line}
        self._append(whole)
        self.rows[row] = whole
        self.names.update(line["files"])
        return whole

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, default=str).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path.parent, error) from error

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
