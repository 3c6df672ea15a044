"""How long commands take from nothing: a new Python each time, files in the page cache."""

import json
import resource
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Sample, Timing, summary
from benchmarks.report import Row

THEME = "cold start"
PORTRAIT = Path(__file__).parent.parent / "workflows" / "portrait.json"
PICTURE = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "picture"}},
}
LOOMIS = "import sys; from server.cli import main; sys.argv[0] = 'loomis'; main()"


def measure(options: Namespace) -> Iterator[Row]:
    """Measure each command, with ``python -c pass`` and the import of torch to compare with."""
    repeats = 1 if options.quick else 7
    nothing = _timing(["-c", "pass"], repeats)
    torch = _timing(["-c", "import torch"], repeats)
    workflow = options.scratch / "picture.json" if options.quick else PORTRAIT
    if options.quick:
        workflow.write_text(json.dumps(PICTURE))
    folders = ["--data", str(options.scratch / "data"), "--out", str(options.scratch / "out")]
    commands = {
        "import engine.run": ["-c", "import engine.run"],
        "import nodes": ["-c", "import nodes; nodes.vocabulary()"],
        "import server.cli": ["-c", "import server.cli"],
        "loomis --help": ["-c", LOOMIS, "--help"],
        "loomis plan": ["-c", LOOMIS, "plan", str(workflow), *folders],
        "loomis run, remembered": ["-c", LOOMIS, "run", str(workflow), *folders],
    }
    _call(commands["loomis run, remembered"])
    yield _row("python -c pass", nothing, nothing, torch)
    yield _row("import torch", torch, nothing, torch)
    for name, command in commands.items():
        yield _row(name, _timing(command, repeats), nothing, torch)


def _row(name: str, timing: Timing, nothing: Timing, torch: Timing) -> Row:
    return Row(THEME, name, timing, ratios={"python": timing.wall / nothing.wall, "torch": timing.wall / torch.wall})


def _timing(arguments: Sequence[str], repeats: int) -> Timing:
    return summary([_call(arguments) for _ in range(repeats)])


def _call(arguments: Sequence[str]) -> Sample:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Sample(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
