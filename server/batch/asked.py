"""What stands on the command line of ``loomis batch``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.model_map import ModelMap


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch as it is asked for: names of files and texts as they were written, values parsed."""

    file: str
    rows: str | None
    grid: Sequence[str]
    zipped: Sequence[str]
    values: Mapping[str, Any]
    count: int
    seed: int
    together: int
    out: str | None
    targets: Sequence[str] | None
    manifest: Path | None
    sheet: Path | None
    models: ModelMap
