"""Texts and tables for a person at a terminal, or for a file when there is no terminal."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from server.report import printable


def seconds_text(seconds: float) -> str:
    """Return a time as a person says it: ``30 ms``, ``1.3 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment_text(moment: float) -> str:
    """Return a moment in Unix seconds as a clock on the wall has it: ``2026-11-05 14:03:20``."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def range_text(seconds: tuple[float, float]) -> str:
    """Return a range of seconds: ``1.0 s to 3.0 s``, one time when both read alike, nothing when it is not known."""
    if not seconds[1]:
        return ""
    low, high = map(seconds_text, seconds)
    return low if low == high else f"{low} to {high}"


def bytes_text(size: int) -> str:
    """Return a size as a person says it: ``512 B``, ``3.2 MiB``."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def path_text(path: Path) -> str:
    """Return a path as seen from the current folder when it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: fitted to the terminal, or in plain columns."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_fitted(heads, rows)
        return
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in [heads, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show_fitted(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
