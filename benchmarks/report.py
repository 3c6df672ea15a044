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

from rich.box import SIMPLE_HEAD
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
    """Print tables that fit 80 columns: per theme, and per thing that it was measured on."""
    for theme in dict.fromkeys(row.theme for row in rows):
        found = [row for row in rows if row.theme == theme]
        sized = len({row.size for row in found}) > 1
        for shape in dict.fromkeys(row.shape for row in found):
            some = [row for row in found if row.shape == shape]
            console.print(_by_size(some) if sized else _one_by_one(some))


def _by_size(rows: Sequence[Row]) -> Table:
    """Return a table of what each part takes, a line per size and a column per way; the rivals by their ratios."""
    rival = next(iter(rows[-1].ratios))
    table = _table(rows[0], f"microseconds a node, median less the bodies (and times the {rival} loop)")
    names = list(dict.fromkeys(row.name for row in rows))
    table.add_column("nodes", justify="right")
    for name in names:
        table.add_column(name.replace(" ", "\n"), justify="right")
    for size in dict.fromkeys(row.size for row in rows):
        here = {row.name: row for row in rows if row.size == size}
        table.add_row(str(size), *(_each(here[name], rival) for name in names))
    table.add_section()
    table.add_row("growth", *(_growth([row for row in rows if row.name == name]) for name in names))
    return table


def _growth(rows: Sequence[Row]) -> str:
    """Return what a part costs at the largest size, by what it costs at the one before."""
    before, largest = sorted(rows, key=lambda row: row.size)[-2:]
    return f"x {largest.each / before.each:.2f}"


def _each(row: Row, rival: str) -> str:
    micros = f"{row.each * 1e6:,.{0 if row.each >= 1e-5 else 1}f}"
    return f"{micros}\n({row.ratios[rival]:,.1f})" if rival in row.ratios else micros


def _one_by_one(rows: Sequence[Row]) -> Table:
    """Return a table with a line per row; the rivals have a column each."""
    notes = {row.note: row.name for row in rows if row.note}
    each = "\n".join(f"{name}: {note}" for note, name in notes.items())
    table = _table(rows[0], each if len(notes) > 1 else rows[0].note)
    rivals = list(dict.fromkeys(rival for row in rows for rival in row.ratios))
    parts = any(row.count > 1 for row in rows)
    table.add_column("what")
    for heading in ("median", "fastest", "CPU", *(["each"] if parts else []), *(f"x {rival}" for rival in rivals)):
        table.add_column(heading, justify="right")
    for row in rows:
        times = [row.timing.wall, row.timing.fastest, row.timing.cpu, *([row.each] if parts else [])]
        ratios = [f"{row.ratios[rival]:.3g}" if rival in row.ratios else "" for rival in rivals]
        table.add_row(row.name, *map(spell, times), *ratios)
    return table


def _table(row: Row, note: str) -> Table:
    title = ", ".join(filter(None, (row.theme, row.shape)))
    return Table(
        title=title, caption=note or None, title_justify="left", caption_justify="left", box=SIMPLE_HEAD,
        padding=0, show_edge=False,
    )  # fmt: skip


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
