"""How long each thread spent importing modules: what a first run pays once is no node's own cost."""

import sys
import threading
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Spent(threading.local):
    seconds = 0.0
    depth = 0


_spent = _Spent()


def import_seconds() -> float:
    """Return the seconds that this thread has spent importing since ``time_imports``."""
    return _spent.seconds


def time_imports() -> None:
    """Have imports timed from now on, in the whole process."""
    if not any(isinstance(finder, _Timer) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Timer())


class _Timer:
    """Finds no module itself: it asks the finders behind it, and times the loader of what they find."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        began = time.perf_counter()
        for finder in sys.meta_path:
            if not isinstance(finder, _Timer) and (spec := finder.find_spec(name, path, target)) is not None:
                _time(spec.loader)
                _add(time.perf_counter() - began)
                return spec
        return None


def _time(loader: Any) -> None:
    execute = getattr(loader, "exec_module", None)
    is_timed = "exec_module" in getattr(loader, "__dict__", ())
    if execute is None or is_timed or isinstance(loader, type):  # built-in modules have a class as loader
        return

    def timed(module: ModuleType) -> None:
        began = time.perf_counter()
        _spent.depth += 1
        try:
            execute(module)
        finally:
            _spent.depth -= 1
            _add(time.perf_counter() - began)

    loader.exec_module = timed


def _add(seconds: float) -> None:
    """Count the outermost of imports that are inside each other."""
    if not _spent.depth:
        _spent.seconds += seconds
