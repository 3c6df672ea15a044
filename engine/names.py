"""Names of output files, reserved before the file is written.

A node that is repeated after its process was killed finds the name it had and replaces its own file; two processes
never get the same name.
"""

from collections.abc import Callable

from engine.index import Index


class Names:
    """The table of reserved names: (key, slot, folder) -> path. In one folder each path belongs to one of them."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def reserved(self, key: bytes, slot: int, folder: str) -> str | None:
        """Return the path that was reserved before."""
        found = self._index.read(
            "SELECT path FROM names WHERE key = ? AND slot = ? AND folder = ?", (key, slot, folder)
        )
        return found[0][0] if found else None

    def reserve(self, key: bytes, slot: int, folder: str, make: Callable[[int], str]) -> str:
        """Return the path of (key, slot, folder), reserving one where there is none.

        ``make`` is asked for a path with 0, 1, 2, ... until it names one that no other has.
        """
        with self._index.transaction() as db:
            where = (key, slot, folder)
            found = db.execute("SELECT path FROM names WHERE key = ? AND slot = ? AND folder = ?", where).fetchone()
            if found:
                return str(found[0])
            attempt = 0
            while True:
                path = make(attempt)
                values = (*where, path)
                if db.execute("INSERT INTO names VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values).rowcount:
                    return path
                attempt += 1
