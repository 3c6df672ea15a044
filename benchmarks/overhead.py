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


class Measured:
    """One graph, and what was measured on it: the bodies alone, loops that remember nothing, every mode."""

    def __init__(self, shape: str, prompt: Prompt, repeats: int) -> None:
        self.shape = shape
        self.prompt = prompt
        self.bodies = repeated(lambda: bare_calls(prompt), repeats).wall
        self.rivals = {name: repeated(partial(loop, prompt), repeats) for name, loop in RIVALS.items()}
        self.samples: dict[str, list[Sample]] = {mode: [] for mode in MODES}
        self.ran: dict[str, int] = {}

    def rows(self) -> Iterator[Row]:
        size = len(self.prompt)
        for name, timing in self.rivals.items():
            yield Row(THEME, f"{name} loop", timing, self.shape, size, size, self.bodies, note="no memo")
        for mode in MODES:
            timing = summary(self.samples[mode])
            ratios = {name: timing.wall / rival.wall for name, rival in self.rivals.items()}
            inside = self.bodies * self.ran[mode] / size
            yield Row(THEME, mode, timing, self.shape, size, size, inside, ratios, f"{self.ran[mode]} ran")


def measure(options: Namespace) -> Iterator[Row]:
    """Measure every shape and size. The sizes take turns, so that a slow minute of the machine is slow for all."""
    sizes, repeats = (QUICK_SIZES, 1) if options.quick else (SIZES, 7)
    for shape, draw in SHAPES.items():
        graphs = [Measured(shape, draw(size), repeats) for size in sizes]
        for _ in range(repeats):
            for graph in graphs:
                with tempfile.TemporaryDirectory() as folder:
                    _all_modes(graph.prompt, Path(folder), graph.samples, graph.ran)
        for graph in graphs:
            yield from graph.rows()


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
