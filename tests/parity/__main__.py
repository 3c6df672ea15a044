"""``python -m tests.parity [--quick] [name ...]``: run golden cases and print how close they come to the reference."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from engine.errors import LoomisError
from tests.parity.cases import GOLDEN, cases
from tests.parity.compare import ENOUGH, GREY_LEVELS, Row, measure, reference_engine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("names", nargs="*", help="cases to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="leave out cases with models of more than a gigabyte")
    options = parser.parse_args()
    chosen = [
        case for case in cases() if (case.name in options.names if options.names else not (options.quick and case.slow))
    ]
    console = Console(width=max(100, Console().width))
    if not chosen:
        console.print(f"No such cases in {GOLDEN} (LOOMIS_GOLDEN).")
        return 1
    failures = 0
    table = Table("case", "latent dB", "grey levels off", "values off", "seconds", "", box=box.SIMPLE)
    with tempfile.TemporaryDirectory() as work, reference_engine(Path(work)) as engine:
        for case in chosen:
            try:
                row = measure(engine, case)
            except (LoomisError, AssertionError) as error:
                table.add_row(case.name, "", "", "", "", str(error).split("\n")[0])
                failures += 1
                continue
            add(table, row)
            failures += not row.passes
            console.print(f"{row.case}: {row.decibels:.1f} dB", style=None if row.passes else "red")
    console.print(table)
    passed = f"{len(chosen) - failures} of {len(chosen)} cases"
    console.print(f"{passed} have {ENOUGH:.0f} dB or more and no value more than {GREY_LEVELS} grey level off.")
    return 1 if failures else 0


def add(table: Table, row: Row) -> None:
    table.add_row(
        row.case,
        f"{row.decibels:.1f}",
        str(row.worst),
        f"{row.share:.2%}",
        f"{row.seconds:.1f}",
        "" if row.passes else "differs",
    )


if __name__ == "__main__":
    sys.exit(main())
