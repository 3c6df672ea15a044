"""``python -m benchmarks``: measure, print tables, write ``latest.json`` and ``overhead.png``."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.plot import draw
from benchmarks.report import Row, machine, save, show

THEMES = ("overhead", "coldstart", "server", "loading", "denoising", "precision")
"""Modules of this package. Each is imported when its turn comes, so that the engine is measured without torch."""

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=THEMES, help="measure one theme")
    parser.add_argument("--quick", action="store_true", help="small sizes, once each: to see that it works")
    parser.add_argument("--full", action="store_true", help="denoise with SD1.5 at full size, random weights, too")
    parser.add_argument("--checkpoint", type=Path, help="denoise with this checkpoint, too")
    parser.add_argument("--device", default="cpu", help="where to denoise (default: cpu)")
    parser.add_argument("--pixels", type=int, default=512, help="width and height for these two (default: 512)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for latest.json and overhead.png")
    options = parser.parse_args(arguments)
    console = Console()
    before = machine()
    console.print(f"{before['processor']}, {before['cores']} cores, load {before['load'][0]:.2f}, {before['system']}")
    rows: list[Row] = []
    with TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        for theme in THEMES if options.only is None else (options.only,):
            found = list(import_module(f"benchmarks.{theme}").measure(options))
            show(found, console)
            rows += found
    save(rows, options.results / "latest.json")
    graphs = [row for row in rows if row.theme == "overhead"]
    if graphs:
        draw(graphs, options.results / "overhead.png")
    console.print(f"Written to {options.results}")


if __name__ == "__main__":
    main()
