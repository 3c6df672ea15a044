"""What a node may ask for. A parameter annotated ``Context`` gets it; most nodes don't take one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from engine.errors import Cancelled, FileError
from engine.folders import Folders
from engine.schema import Files, FileSource
from engine.settings import Settings

T = TypeVar("T")


class Locator(Protocol):
    """Knows which file has a fingerprint, and what value a digest."""

    def path_of(self, found: str) -> Path | None: ...

    def fingerprint(self, source: FileSource, name: str) -> str: ...

    def value(self, digest: bytes) -> Any: ...


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory of a device, in bytes: what it has and what of that is free, 0 where it is the machine's own; what is
    ``reserved`` by its allocator, and ``used`` of that.
    """

    total: int = 0
    free: int = 0
    reserved: int = 0
    used: int = 0


@runtime_checkable
class Holder(Protocol):
    """A service that holds memory, and can let go of all of it between two runs."""

    def usage(self) -> Usage: ...

    def drop(self) -> None: ...


class Environment:
    """What the nodes of one engine share: settings, folders, files by fingerprint, and long-lived services."""

    def __init__(self, settings: Settings, folders: Folders, locator: Locator) -> None:
        self.settings = settings
        self.folders = folders
        self.locator = locator
        self.services: dict[type, Any] = {}
        self.lock = threading.RLock()

    def use(self, service: Callable[["Environment"], T]) -> T:
        """Return the one instance of a service class, made on first use."""
        with self.lock:
            if service not in self.services:
                self.services[service] = service(self)  # type: ignore[index]
            return self.services[service]  # type: ignore[index, no-any-return]

    def holders(self) -> list[Holder]:
        """Return the services that hold memory."""
        with self.lock:
            return [service for service in self.services.values() if isinstance(service, Holder)]

    def path(self, folder: str, fingerprint: str) -> Path:
        """Return the file with this fingerprint.

        Raises:
            FileError: no known file has it any more.
        """
        path = self.locator.path_of(fingerprint)
        if path is None:
            raise FileError(
                f"The file that was used from the {folder} folder is gone or has changed.",
                got=fingerprint,
                hint="Put the file back, or run the workflow with a file that is there.",
            )
        return path

    def value(self, digest: bytes) -> Any:
        """Return a value that another one refers to by its digest.

        Raises:
            Lost: it is gone from the store. A node lets this through: the value is made again, then the node is called
                once more.
        """
        return self.locator.value(digest)


class Context:
    """One call of one node, seen from inside."""

    def __init__(
        self,
        node: str,
        environment: Environment,
        report: Callable[[int, int, Callable[[], bytes] | None, str], None],
        cancelled: Callable[[], bool],
        warn: Callable[[str], None],
        places: Folders | None = None,
    ) -> None:
        self.node = node
        self.environment = environment
        self._report = report
        self._cancelled = cancelled
        self.warn = warn
        """Tell the user something that costs no result."""
        self.places = places or environment.folders
        """Where files go: the folders, unless the run writes elsewhere."""
        self.exact = True
        """Whether the result is what the node's inputs and the settings ask for, and may be remembered."""

    @property
    def settings(self) -> Settings:
        return self.environment.settings

    @property
    def folders(self) -> Folders:
        return self.environment.folders

    def use(self, service: Callable[[Environment], T]) -> T:
        """Return the engine's one instance of a service, such as the pool of weights."""
        return self.environment.use(service)

    def fingerprint(self, folder: str, name: str) -> str:
        """Return the fingerprint of a model file that is in its folder."""
        return self.environment.locator.fingerprint(Files(folder), name)

    def check(self) -> None:
        """Stop here if the run was cancelled.

        Raises:
            Cancelled: it was.
        """
        if self._cancelled():
            raise Cancelled("The run was cancelled.", node=self.node)

    def approximate(self) -> None:
        """Say that this result is not quite what was asked for: it is used, and not remembered."""
        self.exact = False

    def progress(self, value: int, maximum: int, preview: Callable[[], bytes] | None = None, note: str = "") -> None:
        """Say that ``value`` of ``maximum`` steps are done; stop if the run was cancelled.

        ``preview`` makes a JPEG or PNG. It is called only when somebody looks. ``note`` is a word on the step.
        """
        self.check()
        self._report(value, maximum, preview, note)
