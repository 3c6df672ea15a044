"""How long commands take from nothing: a new Python each time, files in the page cache."""

import resource
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measure import Sample, Timing, summary
from benchmarks.report import Row

THEME = "cold start"
PORTRAIT = Path(__file__).parent.parent / "workflows" / "portrait.json"
LOOMIS = "import sys; from server.cli import main; sys.argv[0] = 'loomis'; main()"


def measure(options: Namespace) -> Iterator[Row]:
    """Measure each command, with ``python -c pass`` and the import of torch to compare with."""
    repeats = 1 if options.quick else 7
    nothing = _timing(["-c", "pass"], repeats)
    torch = _timing(["-c", "import torch"], repeats)

    def row(name: str, timing: Timing) -> Row:
        ratios = {"python": timing.wall / nothing.wall, "import torch": timing.wall / torch.wall}
        return Row(THEME, name, timing, ratios=ratios)

    yield row("python -c pass", nothing)
    yield row("import torch", torch)
    yield row("import engine.run", _timing(["-c", "import engine.run"], repeats))
    yield row("import nodes", _timing(["-c", "import nodes; nodes.vocabulary()"], repeats))
    if find_spec("server.cli") is None:
        return
    yield row("import server.cli", _timing(["-c", "import server.cli"], repeats))
    yield row("loomis --help", _timing(["-c", LOOMIS, "--help"], repeats))
    with tempfile.TemporaryDirectory() as folder:
        run = ["-c", LOOMIS, "run", str(PORTRAIT), "--data", f"{folder}/data", "--out", f"{folder}/out"]
        if not options.quick:
            _call(run)
            yield row("loomis run, remembered", _timing(run, repeats))


def _timing(arguments: Sequence[str], repeats: int) -> Timing:
    _call(arguments)
    return summary([_call(arguments) for _ in range(repeats)])


def _call(arguments: Sequence[str]) -> Sample:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Sample(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
