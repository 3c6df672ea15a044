"""The packs of a process: each is imported when one of its nodes is first needed, one at a time."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, LoomisError
from nodes.lazy import lazy
from nodes.packs import current
from nodes.packs.find import Pack

if TYPE_CHECKING:
    from nodes.packs.load import LoadedPack

loading = lazy("nodes.packs.load")

MOST_OBJECTS = 1000
"""Objects of node classes that are kept between their calls."""


class Packs:
    """Imports packs and keeps the objects of their node classes, one for each node of a workflow."""

    def __init__(self, packs: Iterable[Pack]) -> None:
        self._packs = {pack.name: pack for pack in packs}
        self._loaded: dict[str, LoadedPack | LoomisError] = {}
        self._objects: OrderedDict[tuple[type, str], Any] = OrderedDict()
        self._changed: set[str] = set()
        self._lock = threading.RLock()

    def loaded(self, name: str) -> "LoadedPack":
        """Return a pack, imported once.

        Raises:
            PackFailed: it can't be.
        """
        with self._lock:
            if name not in self._loaded:
                pack = self._packs[name]
                if Pack(pack.name, pack.path).digest != pack.digest:
                    self._changed.add(name)
                try:
                    self._loaded[name] = loading.load_pack(pack)
                except LoomisError as error:
                    self._loaded[name] = error
            found = self._loaded[name]
        if isinstance(found, LoomisError):
            raise found
        return found

    def changed(self, name: str) -> bool:
        """Whether files of a pack that was imported were others than when its version was found."""
        return name in self._changed

    def node_class(self, pack: str, type: str) -> Any:
        """Return a node class.

        Raises:
            PackFailed: its pack can't be imported.
            InputError: the pack has no such class any more.
        """
        classes = self.loaded(pack).classes
        if type not in classes:
            raise InputError(f"The node pack {pack} has no {type} any more.", got=type, hint="Start again.")
        return classes[type]

    def node_object(self, pack: str, type: str, node: str) -> Any:
        """Return the object of a class for a node of a workflow: the same in each call, so that it may keep things.

        What it asks for when it is made are the folders of the process: it outlives its run.
        """
        cls = self.node_class(pack, type)
        with self._lock:
            if (cls, node) not in self._objects:
                with current.running(pack, type, current.context()):
                    self._objects[cls, node] = cls()
                if len(self._objects) > MOST_OBJECTS:
                    self._objects.popitem(last=False)
            self._objects.move_to_end((cls, node))
            return self._objects[cls, node]
