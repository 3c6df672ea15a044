"""Bounds of the tables that remember files: what is gone from the disk is forgotten first, then what is oldest."""

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
    ((count,),) = index.read(f"SELECT count(*) FROM {table}")
    if count <= most:
        return
    excess = count - int(most * LOW_WATER)
    oldest = index.read(f"SELECT rowid, {path} FROM {table} ORDER BY used LIMIT ?", (max(excess, count // 2),))
    doomed = sorted(oldest, key=lambda entry: Path(entry[1]).exists())[:excess]
    with index.transaction() as db:
        db.executemany(f"DELETE FROM {table} WHERE rowid = ?", [(id,) for id, _ in doomed])
