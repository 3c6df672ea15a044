"""What a run tells: events in order, and per output node its files and texts."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine import events
from engine.binding import BoundNode
from engine.errors import LoomisError
from engine.failures import located
from engine.keys import CallInputs
from engine.outputs import Outputs, Placed
from engine.rows import Row
from engine.shown_files import is_file


class Told:
    """The voice of one run. ``placed`` and ``notes`` hold, per output node, its files and texts.

    ``fail`` hears of a listener that raised.
    """

    def __init__(
        self,
        job: str,
        listener: Callable[[events.Event], None],
        outputs: Outputs,
        fail: Callable[[Exception], None],
    ) -> None:
        self.placed: dict[str, tuple[Placed, ...]] = {}
        self.notes: dict[str, Mapping[str, list[Any]]] = {}
        self._job = job
        self._listener = listener
        self._outputs = outputs
        self._fail = fail
        self._lock = threading.Lock()
        self._seq = 0

    def unbind(self) -> None:
        """Tell nobody of listeners that raise: the run has ended."""
        self._fail = lambda error: None

    def emit(self, kind: Callable[..., events.Event], **fields: Any) -> None:
        """Tell the listener one fact; from any thread, in order. A listener that raises ends the run, unheard."""
        with self._lock:
            self._seq += 1
            try:
                self._listener(kind(seq=self._seq, job=self._job, **fields))
            except Exception as error:
                self._listener = lambda event: None
                self._fail(error)

    def remember(self, node: BoundNode, calls: Sequence[CallInputs], rows: Sequence[Row | None]) -> None:
        """Tell that a node's outputs are there already, and what it has to show."""
        self.emit(events.Remembered, node=node.id, class_type=node.spec.type)
        for row in rows:
            if row and row.note:
                self.warn_of_blocks(node.id, row.note.get("notes"))
        if node.spec.output_node:
            self.show(node, calls, rows, {})

    def warn_of_blocks(self, node: str, notes: Mapping[str, list[Any]] | None) -> None:
        """Tell the messages of blocks that a node gave."""
        for message in notes.get("blocked", ()) if notes else ():
            self.emit(events.Warned, message=message, node=node, blocks=True)

    def show(
        self,
        node: BoundNode,
        calls: Sequence[CallInputs],
        rows: Sequence[Row | None],
        written: Mapping[int, Placed],
    ) -> None:
        """Tell where an output node's files are: those that were ``written`` now, and those of remembered calls."""
        try:
            placed = [
                written.get(index) or self._outputs.place(node.id, call.key, row)
                for index, (call, row) in enumerate(zip(calls, rows, strict=True))
                if row
            ]
        except LoomisError as error:
            raise located(error, node) from error
        notes: dict[str, list[Any]] = {}
        for row in rows:
            for name, items in row.note.get("notes", {}).items() if row else ():
                notes.setdefault(name, []).extend(items)
        if theirs := self._outputs.shown(notes, bool(written)):
            placed.append(theirs)
            notes = {name: rest for name, items in notes.items() if (rest := [i for i in items if not is_file(i)])}
        self.placed[node.id] = tuple(placed)
        self.notes[node.id] = notes
        files = tuple(file for each in placed for file in each.files)
        fresh = any(each.written for each in placed)
        self.emit(events.Saved, node=node.id, files=files, notes=notes, written=fresh)
