"""Results as rows, on the terminal and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Timing

LIBRARIES = ("torch", "diffusers", "numpy", "networkx", "pydantic")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing.

    ``shape`` and ``size`` say on what, ``count`` over how many parts ``timing`` is spread (nodes, steps). ``bodies``
    are the seconds that the parts themselves take. ``ratios`` compare with rivals by name, measured in the same run:
    how many times the rival's time.
    """

    theme: str
    name: str
    timing: Timing
    shape: str = ""
    size: int = 0
    count: int = 1
    bodies: float = 0.0
    ratios: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def each(self) -> float:
        """Median seconds for each part, less the bodies."""
        return (self.timing.wall - self.bodies) / self.count


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def show(rows: Sequence[Row], console: Console) -> None:
    """Print one table per theme."""
    for theme in dict.fromkeys(row.theme for row in rows):
        table = Table(title=theme, title_justify="left")
        for heading in ("what", "on", "size"):
            table.add_column(heading)
        for heading in ("median", "fastest", "CPU", "each", "ratio"):
            table.add_column(heading, justify="right")
        table.add_column("note")
        for row in (row for row in rows if row.theme == theme):
            ratios = "\n".join(f"{ratio:.3g} x {rival}" for rival, ratio in row.ratios.items())
            table.add_row(
                row.name,
                row.shape,
                str(row.size or ""),
                spell(row.timing.wall),
                spell(row.timing.fastest),
                spell(row.timing.cpu),
                spell(row.each) if row.count > 1 else "",
                ratios,
                row.note,
            )
        console.print(table)


def spell(seconds: float) -> str:
    """Return seconds in the unit that reads best."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def save(rows: Sequence[Row], path: Path) -> None:
    """Write all rows and the machine as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "rows": [{**asdict(row), "each": row.each} for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")
