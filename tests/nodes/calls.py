"""What a node function is called with outside a run."""

from pathlib import Path
from typing import Any

from engine.context import Context, Environment
from engine.folders import Folders
from engine.schema import FileSource
from engine.settings import Settings


class Nowhere:
    """Knows no model files and no values."""

    def value(self, digest: bytes) -> Any:
        raise KeyError(digest)

    def path_of(self, found: str) -> Path | None:
        return None

    def fingerprint(self, source: FileSource, name: str) -> str:
        return ""


def context(folders: Folders) -> Context:
    """Return a context that finds pictures in folders, and no models."""
    environment = Environment(Settings(), folders, Nowhere())
    return Context("1", environment, lambda *step: None, lambda: False, lambda text: None)


class Beneath(Nowhere):
    """Knows the files below a folder, each by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, found: str) -> Path | None:
        return next(self.folder.glob(f"*/{found}"), None)

    def fingerprint(self, source: FileSource, name: str) -> str:
        return name


def model_context(models: Path, **settings: Any) -> Context:
    """Return a context over a models folder. A ``FileRef`` names a file in it."""
    environment = Environment(Settings(**settings), Folders(models=(models,)), Beneath(models))
    return Context("1", environment, lambda *step: None, lambda: False, lambda text: None)
