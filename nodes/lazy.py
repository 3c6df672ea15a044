"""The one deferred import: node files name torch at their top, and it is loaded when a node first computes."""

from importlib import import_module
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """A module that is imported when something is first read from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(import_module(self.__name__), name)
        self.__dict__[name] = value
        return value


def lazy(name: str) -> Any:
    """Return a stand-in for the module ``name`` that imports it on first use."""
    return LazyModule(name)
