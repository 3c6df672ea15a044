"""What a node function is called with outside a run."""

from pathlib import Path

from engine.context import Context, Environment
from engine.folders import Folders
from engine.settings import Settings


class Nowhere:
    """Knows no files."""

    def path_of(self, fingerprint: str) -> Path | None:
        return None


def context(folders: Folders, steps: list[tuple[int, int]] | None = None) -> Context:
    """Return a context whose progress is appended to ``steps``."""
    seen = [] if steps is None else steps
    return Context(
        "1",
        Environment(Settings(), folders, Nowhere()),
        lambda value, maximum, preview: seen.append((value, maximum)),
        lambda: False,
    )
