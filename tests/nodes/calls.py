"""What a node function is called with outside a run."""

from pathlib import Path

from engine.context import Context, Environment
from engine.folders import Folders
from engine.schema import FileSource
from engine.settings import Settings


class Nowhere:
    """Knows no model files."""

    def path_of(self, found: str) -> Path | None:
        return None

    def fingerprint(self, source: FileSource, name: str) -> str:
        return ""


def context(folders: Folders) -> Context:
    """Return a context that finds pictures in folders, and no models."""
    environment = Environment(Settings(), folders, Nowhere())
    return Context("1", environment, lambda value, maximum, preview: None, lambda: False, lambda text: None)
