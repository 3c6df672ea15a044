"""What foreign code may know of the process and of the call that it runs in.

Whoever loads packs calls ``begin`` once in a process; the adapter of a node puts ``running`` around each call of
foreign code. The modules that foreign code imports ask here: nobody tells their functions where they are.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from engine.context import Context
from engine.errors import SettingError
from engine.folders import Folders
from engine.node import Registry

Sender: TypeAlias = Callable[[str, Mapping[str, Any], str | None], None]
"""Takes an event's name, its data, and the client that it is for, or None for all."""


@dataclass(slots=True)
class Process:
    """What is the same for all foreign code of a process."""

    folders: Folders
    registry: Registry
    load: Callable[[str], object]
    refresh: Callable[[], None]
    sender: Sender = field(default=lambda event, data, client: None)


@dataclass(frozen=True, slots=True)
class Running:
    """The foreign code that runs: whose it is, and where a node is called its context and where its files go."""

    pack: str
    type: str
    context: Context | None
    places: Folders | None


_processes: list[Process] = []
_running: ContextVar[Running | None] = ContextVar("running", default=None)


def begin(
    folders: Folders,
    registry: Registry,
    load: Callable[[str], object] = lambda pack: None,
    refresh: Callable[[], None] = lambda: None,
) -> None:
    """Say where files lie and which node types there are, before foreign code is loaded.

    ``load`` imports a pack by its name where it was not, ``refresh`` describes packs anew whose folders changed.
    """
    _processes[:] = [Process(folders, registry, load, refresh)]


def refresh() -> None:
    """See that the node types of packs offer the files that are there now. Takes as long as its packs do.

    A process that loads no packs has nothing to do, whoever imported this.
    """
    for process in _processes:
        process.refresh()


def load(pack: str) -> None:
    """Have a pack imported."""
    _process().load(pack)


def set_sender(sender: Sender) -> None:
    """Say what takes the events that foreign code sends to clients. Without one they go nowhere."""
    _process().sender = sender


def folders() -> Folders:
    """Return the folders of this process."""
    return _process().folders


def places() -> Folders:
    """Return the folders that the foreign code that runs writes to: those of its run, else those of this process."""
    running = _running.get()
    return running.places if running and running.places else folders()


def registry() -> Registry:
    """Return the node types of this process, ours and those of packs."""
    return _process().registry


def send(event: str, data: Mapping[str, Any], client: str | None = None) -> None:
    """Send an event to a client, or to all."""
    _process().sender(event, data, client)


def context() -> Context | None:
    """Return the context of the foreign node that runs in this thread or task."""
    running = _running.get()
    return running.context if running else None


def node() -> tuple[str, str] | None:
    """Return the pack and the node type of the foreign code that runs; the type is empty while a pack is loaded."""
    running = _running.get()
    return (running.pack, running.type) if running else None


@contextmanager
def running(pack: str, type: str = "", context: Context | None = None, places: Folders | None = None) -> Iterator[None]:
    """Say whose code runs in this thread or task, and where its files go if not to the folders of the process."""
    token = _running.set(Running(pack, type, context, places))
    try:
        yield
    finally:
        _running.reset(token)


def _process() -> Process:
    if not _processes:
        raise SettingError(
            "No node packs are loaded in this process.", hint="Load them with --custom-nodes, or call begin first."
        )
    return _processes[0]
