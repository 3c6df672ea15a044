"""Which assets clients sent: their ids, their content's blake3, and the files in the input folder that hold it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from uuid import uuid4

from server.jobs.database import connect

SCHEMA = """
CREATE TABLE IF NOT EXISTS assets (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, name TEXT NOT NULL, content_type TEXT NOT NULL, created REAL NOT NULL,
    size INTEGER NOT NULL, modified INTEGER NOT NULL, owned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS assets_by_digest ON assets (digest);
CREATE INDEX IF NOT EXISTS assets_by_name ON assets (name);
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file below the input folder. ``digest`` is its blake3 in hex, ``created`` in Unix seconds.

    ``size`` (bytes) and ``modified`` (ns) tell whether the file is still what it was. ``owned``: it is there because of
    an asset, and goes with the last one that names it.
    """

    id: str
    digest: str
    name: str
    content_type: str
    created: float
    size: int
    modified: int
    owned: bool

    def holds(self, root: Path) -> bool:
        """Whether its file is there and was not changed."""
        try:
            stat = (root / self.name).stat()
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (self.size, self.modified)


COLUMNS = ", ".join(field.name for field in fields(Asset))
INSERT = f"INSERT INTO assets ({COLUMNS}) VALUES ({', '.join('?' * len(fields(Asset)))})"


class AssetStore:
    """The table of assets, in one SQLite file below ``path``. Methods belong in a thread; they may run side by side."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.root = root

    def find(self, id: str) -> Asset | None:
        """Return an asset."""
        return next(self._found("id = ?", id), None)

    def with_digest(self, digest: str) -> list[Asset]:
        """Return the assets with a content, newest first, whose files still hold it."""
        found = [asset for asset in self._found("digest = ?", digest) if asset.holds(self.root)]
        return sorted(found, key=lambda asset: -asset.created)

    def add(self, digest: str, name: str, content_type: str, created: bool) -> Asset:
        """Take note of a file; ``created`` says that it was not there before."""
        stat = (self.root / name).stat()
        owned = created or any(asset.owned for asset in self._found("name = ?", name))
        asset = Asset(str(uuid4()), digest, name, content_type, time.time(), stat.st_size, stat.st_mtime_ns, owned)
        with self._open() as connection:
            connection.execute(INSERT, astuple(asset))
        return asset

    def remove(self, asset: Asset) -> None:
        """Forget an asset; its file goes too, if nothing else names it and it is what it was."""
        with self._open() as connection:
            connection.execute("DELETE FROM assets WHERE id = ?", (asset.id,))
            (others,) = connection.execute("SELECT count(*) FROM assets WHERE name = ?", (asset.name,)).fetchone()
        if asset.owned and not others and asset.holds(self.root):
            (self.root / asset.name).unlink()

    def _found(self, where: str, value: str) -> Iterator[Asset]:
        with self._open() as connection:
            rows = connection.execute(f"SELECT {COLUMNS} FROM assets WHERE {where}", (value,)).fetchall()
        return (Asset(*row) for row in rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(connect(self.path)) as connection:
            connection.executescript(SCHEMA)
            yield connection
