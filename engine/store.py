"""The store of remembered results: key -> row, digest -> value, in memory and on disk.

::

    with Store(folder, memory_bytes=2**30, disk_bytes=20 * 2**30) as store:
        packed = pack(value)
        store.put(key, Row(((packed.digest,),), cost=1.5), {packed.digest: Cached(value, packed)}, type="KSampler")
        store.row(key)               # at once
        store.get(packed.digest)     # the value, or MISSING

Several processes share a folder. A damaged or missing object is a miss. When the disk is full or can't be written,
remembering pauses with one warning; nothing is raised and no result is lost.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from engine import upkeep
from engine.digests import FileRecords
from engine.disk import Disk, Entry
from engine.errors import StoreError
from engine.index import DISK_ERRORS, Index, is_damage
from engine.leases import Leases
from engine.memory import Cached, Memory
from engine.names import Names
from engine.recent import Recent
from engine.rows import Row, row_to_bytes
from engine.upkeep import Stats, Verification
from engine.values import MalformedValue, Packed, unpack
from engine.writer import Writer

T = TypeVar("T")

ROWS_IN_MEMORY = 65_536
LONG = 0.05
"""Seconds of computing after which a result is written at once."""

PAUSE_SECONDS = 60.0
"""How long remembering pauses after the disk failed."""

TOUCH_SECONDS = 600.0
"""A last use is noted again after this long."""

MOST_TOUCHED = 50_000
SMALLEST_QUEUE = 256 * 2**20


class Missing(Enum):
    """What `Store.get` returns where there is no value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Store:
    """Rows and values under two budgets of bytes. Without a folder it forgets everything when it is closed.

    Every method may be called from any thread. ``names`` are those of output files, ``files`` what is known of models
    and pictures, ``recent`` what results of each node type took. ``warn`` gets one sentence when the disk can't be
    used.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        memory_bytes: int,
        disk_bytes: int,
        clock: Callable[[], float] = time.time,
        warn: Callable[[str], None] = logging.getLogger("loomis.store").warning,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._warn = warn
        self._warned = False
        self._paused_until = 0.0
        self._lock = threading.Lock()
        self._memory = Memory(memory_bytes)
        self._rows: OrderedDict[bytes, tuple[Row, float]] = OrderedDict()
        self._touched: dict[bytes, float] = {}
        self._disk = self._open(folder, disk_bytes)
        self._index = self._disk.index if self._disk else Index(None)
        self._leases = Leases(self._index, clock)
        self.recent = Recent(self._guarded)
        self.names = Names(self._index, clock, self._pause)
        self.files = FileRecords(self._index, clock, self._pause, digest=self._disk is not None)
        self._next_beat = 0.0
        self._writer = Writer(
            self._commit, max(memory_bytes, SMALLEST_QUEUE), self._beat, self._leases.heartbeat, self._pause
        )

    def _open(self, folder: Path | None, limit: int) -> Disk | None:
        try:
            return Disk(folder, limit, self._clock) if folder else None
        except (*DISK_ERRORS, StoreError) as error:
            self._pause(error)
            return None

    # --- rows ---

    def row(self, key: bytes) -> Row | None:
        """Return what a key stands for."""
        found = self.row_at_hand(key)
        if found is not None or self._disk is None:
            return found
        stored = self._guarded(lambda disk: disk.row(key), None)
        if stored is None:
            return None
        with self._lock:
            self._mirror(key, *stored)
            return self._used(key, *stored)

    def row_at_hand(self, key: bytes) -> Row | None:
        """Return what a key stands for if that needs no look at the disk."""
        with self._lock:
            found = self._rows.get(key)
            if found is not None:
                self._rows.move_to_end(key)
                return self._used(key, *found)
        return self._writer.rows.get(key)

    def rows(self, keys: Iterable[bytes]) -> dict[bytes, Row]:
        """Return what each key stands for, of those that are here."""
        found: dict[bytes, Row] = {}
        missing = []
        with self._lock:
            for key in keys:
                here = self._rows.get(key)
                if here is not None:
                    found[key] = self._used(key, *here)
                else:
                    missing.append(key)
        waiting = {key: row for key in missing if (row := self._writer.rows.get(key))}
        rest = [key for key in missing if key not in waiting]
        stored: list[tuple[bytes, Row, float]] = self._guarded(lambda disk: list(disk.rows(rest)), [])
        with self._lock:
            for key, row, used in stored:
                self._mirror(key, row, used)
                found[key] = self._used(key, row, used)
        return found | waiting

    def _mirror(self, key: bytes, row: Row, used: float) -> None:
        self._rows[key] = (row, used)
        if len(self._rows) > ROWS_IN_MEMORY:
            self._rows.popitem(last=False)

    def _used(self, key: bytes, row: Row, used: float) -> Row:
        """Note the use of a row and its values, unless that was done a short while ago."""
        now = self._clock()
        if now - used > TOUCH_SECONDS and len(self._touched) < MOST_TOUCHED:
            self._rows[key] = (row, now)
            self._touched[key] = now
            self._touched.update((digest, now) for slot in row.outputs for digest in slot)
        return row

    # --- values ---

    def has(self, digest: bytes) -> bool:
        """Return whether a value is here, without reading it."""
        with self._lock:
            if digest in self._memory:
                return True
        return digest in self._writer.values or self._guarded(lambda disk: disk.has(digest), False)

    def get(self, digest: bytes) -> Any | Literal[Missing.MISSING]:
        """Return a value, or MISSING. What comes from disk was checked against its digest."""
        held = self._held(digest)
        if held is None:
            packed = self._read(digest)
            if packed is None:
                return MISSING
            try:
                held = Cached(unpack(packed), packed)
            except MalformedValue:
                self._guarded(lambda disk: disk.drop(digest), None)
                return MISSING
            with self._lock:
                self._memory.add(digest, held)
        return held.value

    def begin_run(self) -> None:
        """Forget the values in memory that the last runs did not use, unless there is no disk or it failed.

        The system keeps files that were read lately in its own memory: 1024 x 1024 pixels come back in 6 ms.
        """
        if self._disk is not None and not self._warned:
            with self._lock:
                self._memory.begin_run()

    def drop(self, digests: Iterable[bytes]) -> None:
        """Forget values in memory that somebody changed. Bytes on disk stay: they are checked when they are read."""
        self.flush()
        with self._lock:
            for digest in digests:
                self._memory.drop(digest)

    def packed(self, digest: bytes) -> Packed | None:
        """Return a value's byte form without decoding it; None where it is missing or has none."""
        held = self._held(digest)
        return held.packed if held else self._read(digest)

    def _held(self, digest: bytes) -> Cached | None:
        with self._lock:
            held = self._memory.get(digest)
        return held or self._writer.values.get(digest)

    def _read(self, digest: bytes) -> Packed | None:
        found = self._guarded(lambda disk: disk.read(digest), None)
        if found is None:
            return None
        packed, used = found
        now = self._clock()
        if now - used > TOUCH_SECONDS:
            with self._lock:
                self._touched[digest] = now
        return packed

    # --- writing ---

    def put(
        self,
        key: bytes,
        row: Row,
        values: Mapping[bytes, Cached],
        *,
        type: str = "",
        at_once: bool = False,
    ) -> None:
        """Remember a result: in memory at once, on disk within 50 ms, sooner where it took longer than that.

        ``values`` holds the outputs by digest; one without a byte form stays in memory.
        """
        with self._lock:
            self._mirror(key, row, self._clock())
            for digest, each in values.items():
                self._memory.add(digest, each)
        self.recent.add(type, row.cost)
        if self._disk is not None:
            try:
                body = row_to_bytes(key, row)
            except (TypeError, ValueError, OverflowError) as error:  # a note that is no plain data
                self._warn(f"A result of {type} is remembered in memory only: {error}")
                return
            storable = tuple([(digest, each.packed) for digest, each in values.items() if each.packed is not None])
            waiting = {digest: values[digest] for digest, _ in storable}
            self._writer.add(Entry(key, type, row, body, storable), waiting, urgent=at_once or row.cost > LONG)

    def keep(self, digest: bytes, type: str, cost: float) -> None:
        """Have a value on disk that is here, even if it is cheaper to compute than to read."""
        self.flush()
        if (packed := self.packed(digest)) is not None:
            self._guarded(lambda disk: None if disk.has(digest) else disk.keep(digest, packed, type, cost), None)

    def _commit(self, batch: Sequence[Entry]) -> None:
        """Write a group. Called by the writer thread."""
        if self._clock() < self._paused_until:
            return
        with self._lock:
            touched, self._touched = self._touched, {}
        self._guarded(lambda disk: disk.commit(batch, touched), None)

    def flush(self) -> None:
        """Return when everything put so far is on disk, as far as it is stored at all."""
        self._writer.flush()

    def close(self) -> None:
        """Write what waits, give back the leases and close the index."""
        self.files.close()
        self._writer.close()
        if self._touched:
            self._commit(())
        self._guarded(lambda disk: self._leases.release_all(), None)
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- when the disk fails ---

    def _guarded(self, action: Callable[[Disk], T], otherwise: T) -> T:
        """Do something on disk; on failure, and without a disk, return ``otherwise``."""
        if self._disk is None:
            return otherwise
        try:
            return action(self._disk)
        except DISK_ERRORS as error:
            self._pause(error)
            return otherwise

    def _pause(self, error: Exception) -> None:
        if not is_damage(error):
            self._paused_until = self._clock() + PAUSE_SECONDS
        if not self._warned:
            self._warned = True
            self._warn(f"Results are not remembered on disk for now: {error} ({self.folder})")

    # --- leases ---

    def lease(self, keys: Collection[bytes], owner: str, seconds: float) -> bool:
        """Take the right to compute keys, all or none, renewed until released. False where another has one of them."""
        taken = self._shared(lambda: self._leases.take(keys, owner, seconds), True)
        self._writer.wake()
        return taken

    def release(self, keys: Collection[bytes]) -> None:
        """Give back leases of this process when everything put so far is on disk. Does not wait for that."""
        self._writer.afterwards(lambda: self._shared(lambda: self._leases.release(keys), None))

    def _beat(self) -> None:
        interval, now = self._leases.heartbeat(), self._clock()
        if interval is not None and now >= self._next_beat:
            self._shared(self._leases.renew, None)
            self._next_beat = now + interval / 2

    def _shared(self, action: Callable[[], T], otherwise: T) -> T:
        try:
            return action()
        except DISK_ERRORS as error:
            self._pause(error)
            return otherwise

    # --- upkeep ---

    @property
    def limit(self) -> int:
        """The most bytes on disk."""
        return self._disk.limit if self._disk else 0

    def totals(self) -> tuple[int, int, int]:
        """Return the number of rows, the number of values and the bytes of both, on disk."""
        return self._guarded(upkeep.totals, (len(self._rows), 0, 0))

    def stats(self) -> Stats:
        """Return what is here."""
        return Stats(
            *self.totals(),
            self.limit,
            len(self._memory),
            self._memory.nbytes,
            self._memory.budget,
            self._guarded(upkeep.type_stats, {}),
        )

    def verify(self) -> Verification:
        """Hash every stored value again and drop the bad ones."""
        self.flush()
        return self._guarded(upkeep.verify, Verification(0, 0, (), (), ()))

    def forget_memory(self) -> None:
        """Forget the values in memory. Those on disk stay; others are made again where they are needed."""
        with self._lock:
            self._memory.clear()

    def clear(self, *, older_than: float | None = None, type: str | None = None) -> int:
        """Forget everything, or what was not used for ``older_than`` seconds, or one node type. Return bytes freed."""
        self.flush()
        with self._lock:
            self._memory.clear()
            self._rows.clear()
            self._touched.clear()
        self.recent.clear()
        before = None if older_than is None else self._clock() - older_than
        return self._guarded(lambda disk: upkeep.clear(disk, before=before, type=type), 0)
