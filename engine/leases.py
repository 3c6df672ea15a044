"""Leases: who computes a key right now, told to every process on the same store.

A lease runs out unless it is renewed; one whose process is surely dead is free at once. A rare double run is allowed,
a stuck wait is not.
"""

from collections.abc import Callable, Collection

from engine.index import Index
from engine.processes import is_dead, this_process


class Leases:
    """The table of leases, and those that this process holds."""

    def __init__(self, index: Index, clock: Callable[[], float]) -> None:
        self._index = index
        self._clock = clock
        self._held: dict[bytes, tuple[str, float, int]] = {}

    def take(self, keys: Collection[bytes], owner: str, seconds: float) -> bool:
        """Take leases, or renew them, all or none. Return False where another owner holds one of them."""
        with self._index.transaction() as db:
            for key in keys:
                found = db.execute("SELECT owner, process, expires FROM leases WHERE key = ?", (key,)).fetchone()
                if found and found[0] != owner and not self._is_over(found[1], found[2]):
                    return False
            until = self._clock() + seconds
            db.executemany(
                "INSERT INTO leases VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
                "SET owner = excluded.owner, process = excluded.process, expires = excluded.expires",
                [(key, owner, this_process(), until) for key in keys],
            )
            for key in keys:
                self._held[key] = (owner, seconds, self._held[key][2] + 1 if key in self._held else 1)
        return True

    def _is_over(self, process: str, expires: float) -> bool:
        return expires <= self._clock() or is_dead(process)

    def release(self, keys: Collection[bytes]) -> None:
        """Give back leases of this process. One that was taken twice has to be given back twice."""
        with self._index.transaction() as db:
            for key in keys:
                owner, seconds, count = self._held.pop(key, ("", 0.0, 0))
                if count > 1:
                    self._held[key] = (owner, seconds, count - 1)
                elif count:
                    values = (key, owner, this_process())
                    db.execute("DELETE FROM leases WHERE key = ? AND owner = ? AND process = ?", values)

    def release_all(self) -> None:
        """Give back every lease of this process."""
        if self._held:
            self._held.clear()
            with self._index.transaction() as db:
                db.execute("DELETE FROM leases WHERE process = ?", (this_process(),))

    def renew(self) -> None:
        """Put off the end of every lease of this process, and forget those that are over."""
        now, held = self._clock(), dict(self._held)
        if held:
            with self._index.transaction() as db:
                db.execute("DELETE FROM leases WHERE expires <= ? AND process <> ?", (now, this_process()))
                db.executemany(
                    "UPDATE leases SET expires = ? WHERE key = ? AND owner = ? AND process = ?",
                    [(now + seconds, key, owner, this_process()) for key, (owner, seconds, _) in held.items()],
                )

    def heartbeat(self) -> float | None:
        """Return after how many seconds to renew; None while nothing is held."""
        held = dict(self._held)
        return min(seconds for _, seconds, _ in held.values()) / 3 if held else None
