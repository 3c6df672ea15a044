"""Progress bars of a run: one for each node that runs, and one for the whole with the time left."""

from collections.abc import Mapping
from math import ceil

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from engine import events
from engine.api import Result
from server.telling import Story, show_result
from server.text import seconds_text


class Left(ProgressColumn):
    """The time left: what the plan expects while that holds, then what the pace so far says."""

    def render(self, task: Task) -> Text:
        left = time_left(task.elapsed or 0.0, task.completed, task.total, task.fields.get("expected", 0.0))
        if left is None:
            return Text("")
        return Text(f"{ceil(left)} s left" if left < 59 else f"{seconds_text(left)} left")


def time_left(elapsed: float, done: float, total: float | None, expected: float) -> float | None:
    """Return the seconds left of a task, or None while nothing is known."""
    if expected > elapsed:
        return expected - elapsed
    if not total or not done or done >= total:
        return None
    return elapsed * (total - done) / done


class Bars:
    """Bars on standard error while the run goes on; the lines of finished nodes stay above them."""

    def __init__(self, types: Mapping[str, str], console: Console | None = None) -> None:
        self.story = Story(types)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            Left(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._nodes: dict[str, TaskID] = {}
        self._parts: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._total: TaskID | None = None
        self._done = 0

    def __call__(self, event: events.Event) -> None:
        line = self.story.line(event)
        match event:
            case events.Planned():
                self._begin(event)
            case events.NodeStarted(node=node):
                self._nodes[node] = self.progress.add_task(f"  {self.story.name(node)}", total=None, count="")
            case events.Progress(node=node, value=value, maximum=maximum, note=note) if node in self._nodes:
                count = f"{value}/{maximum} {note}".rstrip()
                self.progress.update(self._nodes[node], completed=value, total=maximum, count=count)
                self._parts[node] = value / maximum if maximum else 0.0
                self._move()
            case events.NodeFinished(node=node) | events.Remembered(node=node):
                self._end(node)
            case events.Finished() | events.Failed() | events.WasCancelled():
                self.close()
        if line:
            self.progress.console.print(Text(line), soft_wrap=True)

    def _begin(self, plan: events.Planned) -> None:
        self._waiting = {*plan.runs, *plan.depends}
        if self._waiting:
            expected = sum(plan.seconds) / 2
            self._total = self.progress.add_task("total", total=len(self._waiting), count="", expected=expected)
            self.progress.start()
            self._move()

    def _end(self, node: str) -> None:
        if node in self._nodes:
            self.progress.remove_task(self._nodes.pop(node))
        self._parts.pop(node, None)
        if node in self._waiting:
            self._waiting.remove(node)
            self._done += 1
            self._move()

    def _move(self) -> None:
        if self._total is not None:
            total = self._done + len(self._waiting)
            at = self._done + sum(part for node, part in self._parts.items() if node in self._waiting)
            self.progress.update(self._total, completed=at, count=f"{self._done}/{total} nodes")

    def finish(self, result: Result) -> None:
        show_result(result)

    def close(self) -> None:
        self.progress.stop()
