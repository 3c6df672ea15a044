"""What the engine adds to trivial nodes: first run, remembered, after one change; against plain loops."""

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.graphs import SHAPES, Prompt, edited, last, middle, open_engine
from benchmarks.measure import Sample, once, repeated, summary
from benchmarks.report import Row
from benchmarks.rivals import RIVALS, bare_calls
from engine.events import Event, NodeFinished

THEME = "overhead"
SIZES = (10, 100, 1_000, 10_000)
QUICK_SIZES = (10, 50)
MODES = ("first run", "remembered", "remembered, new process", "changed at the sink", "changed in the middle")


def measure(options: Namespace) -> Iterator[Row]:
    """Measure every shape and size."""
    for shape, draw in SHAPES.items():
        for size in QUICK_SIZES if options.quick else SIZES:
            yield from _graph(shape, draw(size), 1 if options.quick else 3 if size > 1000 else 7)


def _graph(shape: str, prompt: Prompt, repeats: int) -> Iterator[Row]:
    size = len(prompt)
    bodies = repeated(lambda: bare_calls(prompt), repeats).wall
    rivals = {name: repeated(partial(loop, prompt), repeats) for name, loop in RIVALS.items()}
    samples: dict[str, list[Sample]] = {mode: [] for mode in MODES}
    ran: dict[str, int] = {}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            _all_modes(prompt, Path(folder), samples, ran)
    for name, timing in rivals.items():
        yield Row(THEME, f"{name} loop", timing, shape, size, size, bodies, note="no memo")
    for mode in MODES:
        timing = summary(samples[mode])
        ratios = {name: timing.wall / rival.wall for name, rival in rivals.items()}
        inside = bodies * ran[mode] / size
        yield Row(THEME, mode, timing, shape, size, size, inside, ratios, f"{ran[mode]} ran")


def _all_modes(prompt: Prompt, folder: Path, samples: dict[str, list[Sample]], ran: dict[str, int]) -> None:
    """Measure each mode once on a new store."""
    salts = count(10**6)
    changed = {
        "first run": prompt,
        "remembered": prompt,
        "changed at the sink": edited(prompt, last(prompt), next(salts)),
        "changed in the middle": edited(prompt, middle(prompt), next(salts)),
    }
    with open_engine(folder) as engine:
        for mode, graph in changed.items():
            events: list[Event] = []
            samples[mode].append(once(partial(engine.run, graph, on_event=events.append)))
            ran[mode] = sum(isinstance(event, NodeFinished) for event in events)
            engine.store.flush()
    wall, cpu, ran["remembered, new process"] = _elsewhere(prompt, folder)
    samples["remembered, new process"].append(Sample(wall, cpu))


def _elsewhere(prompt: Prompt, folder: Path) -> tuple[float, float, int]:
    """Run a graph in a process of its own; what it takes to start Python and import is not counted."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.elsewhere", str(folder)],
        input=json.dumps(prompt),
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu, ran = json.loads(done.stdout)
    return wall, cpu, ran
