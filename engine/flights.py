"""Single flight: of several runs that need the same key at once, one computes and the others wait."""

import threading
from collections.abc import Callable, Iterable


class Flights:
    """The keys that are being computed in this process."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def take(self, keys: Iterable[bytes], landed: Callable[[], None]) -> bool:
        """Take all keys, or none: when one is in the air already, ``landed`` is called once when it lands."""
        with self._lock:
            for key in keys:
                if key in self._waiting:
                    self._waiting[key].append(landed)
                    return False
            for key in keys:
                self._waiting[key] = []
            return True

    def land(self, keys: Iterable[bytes]) -> None:
        """Let others have the keys, and call those who wait for them."""
        with self._lock:
            callbacks = [callback for key in keys for callback in self._waiting.pop(key, ())]
        for callback in callbacks:
            callback()
