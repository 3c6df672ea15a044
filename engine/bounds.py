"""Bounds of the tables that remember files: what is gone from the disk is forgotten first, then what is oldest."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Literal

from engine.index import Index

USED_SECONDS = 24 * 3600.0
"""A last use is noted again after this long."""

EVERY = 1000
LOW_WATER = 0.9
"""Forgetting goes this far below the bound, so that it happens seldom."""


def trim(index: Index, table: Literal["names", "files"], path: str, most: int, rowid: int) -> None:
    """Forget entries beyond ``most``. ``path`` is SQL for the file of an entry; it is looked for outside a transaction.

    ``rowid`` is that of the entry put in last: the table is counted once for a thousand of them.
    """
    if rowid % EVERY:
        return
    count = sum(number for (number,) in index.read(f"SELECT count(*) FROM {table}"))  # a damaged index has no rows
    if count <= most:
        return
    excess = count - int(most * LOW_WATER)
    oldest = index.read(f"SELECT rowid, {path} FROM {table} ORDER BY used LIMIT ?", (max(excess, count // 2),))
    doomed = sorted(oldest, key=lambda entry: Path(entry[1]).exists())[:excess]
    with suppress(sqlite3.Error), index.transaction() as db:  # what can't be forgotten now is forgotten later
        db.executemany(f"DELETE FROM {table} WHERE rowid = ?", [(id,) for id, _ in doomed])
