"""Run a graph: one loop over ready nodes.

A node is looked at when the digests of all its inputs are known. If the memo has its outputs, it is remembered. If not,
it waits for the values of its inputs (a producer whose value is gone runs again), for anyone who computes the same key,
and then goes to its lane. What comes back is put into the memo, and the node's users are looked at.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from engine import events
from engine.call import located
from engine.context import Environment
from engine.errors import Cancelled, LoomisError
from engine.expansion import Expansion, grow
from engine.flights import Flights
from engine.formats.diagnostics import Diagnostic
from engine.keys import CallInputs, calls, static_part
from engine.lanes import Lanes
from engine.memo import Memo
from engine.node import Registry
from engine.outputs import Outputs, Placed
from engine.plan import DEPENDS, Plan, Planner, blocked_row, file_marks, joined, known_digests, needed_links, reason
from engine.task import Held, Task
from engine.validate import BoundGraph, BoundNode, cycle_error
from engine.work import Report, Work

POLL_SECONDS = 0.05
LONG_SECONDS = 0.05
"""A node that is expected to take longer is announced to other processes."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all runs of an engine share."""

    registry: Registry
    environment: Environment
    memo: Memo
    lanes: Lanes
    flights: Flights


class Run:
    """One run of one graph. ``placed`` and ``notes`` hold, per output node, its files and texts."""

    def __init__(
        self,
        shared: Shared,
        graph: BoundGraph,
        job: str,
        *,
        wanted: Collection[str],
        on_event: Callable[[events.Event], None],
        cancel: threading.Event,
        extra: Mapping[str, Any],
        remarks: Sequence[Diagnostic] = (),
    ) -> None:
        prompt = graph.graph.prompt
        self.job = job
        self.tasks: dict[str, Task] = {}
        self.placed: dict[str, tuple[Placed, ...]] = {}
        self.notes: dict[str, Mapping[str, list[Any]]] = {}
        self._shared = shared
        self._memo = shared.memo
        self._graph = graph
        self._nodes = dict(graph.nodes)
        self._raw = dict(graph.graph.nodes)
        self._wanted = frozenset(wanted)
        self._cancel = cancel
        self._remarks = remarks
        self._held = Held()
        self._outputs = Outputs(shared.memo, shared.environment.folders, prompt, extra)
        hidden = {"PROMPT": prompt, "DYNPROMPT": prompt, "EXTRA_PNGINFO": extra}
        self._work = Work(shared.memo, shared.environment, self._held, self._outputs, hidden, self.emit, cancel)
        self._todo: deque[Task] = deque()
        self._ready: deque[Task] = deque()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._running = 0
        self._parked: set[Task] = set()
        self._leased: dict[Task, float] = {}
        self._futures: dict[Task, Future[None]] = {}
        self._error: LoomisError | None = None
        self._listener = on_event
        self._lock = threading.Lock()
        self._seq = 0

    # The loop.

    def execute(self) -> None:
        """Run until every wanted node is done.

        Raises:
            LoomisError: a node failed, or the run was cancelled (Cancelled). What was done stays remembered.
        """
        began = time.time()
        self.emit(events.Started, time=began)
        for remark in self._remarks:
            self.emit(events.Warned, message=remark.text, node=remark.node)
        try:
            self._begin(self._plan())
            self._look_at_all()
            while not self._error and (self._ready or self._running or self._parked):
                self._start_ready()
                self._wait()
                self._look_at_all()
            self._drain()
        except Cancelled:
            self.emit(events.WasCancelled)
            raise
        except LoomisError as error:
            self.emit(events.Failed, error=error.as_dict())
            raise
        self.emit(events.Finished, seconds=time.time() - began)

    def values(self, node: str) -> tuple[list[Any], ...]:
        """Return the values on each output of a wanted node. A wire is a list of values, usually of one."""
        return tuple([self._work.value(digest) for digest in digests] for digests in self.tasks[node].outputs or ())

    def emit(self, kind: Callable[..., events.Event], **fields: Any) -> None:
        """Tell the listener one fact; from any thread, in order."""
        with self._lock:
            self._seq += 1
            self._listener(kind(seq=self._seq, job=self.job, **fields))

    def _plan(self) -> Plan:
        settings = self._shared.environment.settings
        plan = Planner(self._graph, self._memo, settings.profile, self._memo.fingerprint).plan(self._wanted)
        self.emit(
            events.Planned,
            remembered=plan.nodes("remembered"),
            runs={id: plan.steps[id].why for id in plan.nodes("runs")},
            depends=plan.nodes("depends"),
            seconds=plan.seconds,
        )
        return plan

    def _begin(self, plan: Plan) -> None:
        """Make a task of every step."""
        for id, step in plan.steps.items():
            task = self._add(self._nodes[id], step.asked)
            task.static = plan.statics.get(id)
            task.why = step.why
            task.calls = step.calls
            task.rows = list(step.rows)
            task.outputs = step.outputs
            task.forced = step.state == "runs" and step.outputs is not None
            if step.state == "remembered":
                self._remember(task)

    def _add(self, node: BoundNode, asked: Collection[str] = ()) -> Task:
        task = self.tasks[node.id] = Task(node, asked=set(asked))
        for source in task.sources():
            self._use(self.tasks[source], task)
        self._todo.append(task)
        return task

    def _use(self, source: Task, user: Task) -> None:
        source.users.append(user)
        source.pending += 1

    def _wait(self) -> None:
        """Handle what the lanes say; look up now and then."""
        if self._cancel.is_set():
            self._fail(Cancelled("The run was cancelled."))
        if not (self._running or self._parked):
            return
        try:
            self._inbox.get(timeout=POLL_SECONDS)()
            while True:
                self._inbox.get_nowait()()
        except Empty:
            pass
        for task in [task for task, due in self._leased.items() if due <= time.monotonic()]:
            del self._leased[task]
            self._unpark(task)

    def _fail(self, error: LoomisError) -> None:
        self._error = self._error or error
        self._work.stop.set()
        for future in list(self._futures.values()):
            future.cancel()

    def _drain(self) -> None:
        """Wait for nodes that still run (a stopped run ends them at their next step), then see that all is done."""
        for task in self._ready:
            self._let_go(task)
        while self._running:
            self._inbox.get()()
        if self._error:
            raise self._error
        stuck = {id: task for id, task in self.tasks.items() if not task.done}
        if stuck:
            waits = {
                id: (task.sources() | {link.node for each in task.expansions.values() for link in each.links})
                & stuck.keys()
                for id, task in stuck.items()
            }
            raise cycle_error(waits, {id: task.node for id, task in stuck.items()})

    # One node.

    def _look_at_all(self) -> None:
        while self._todo and not self._error:
            self._look(self._todo.popleft())

    def _look(self, task: Task) -> None:
        """Take a node as far as it can go now."""
        if task.done or task.busy or task in self._parked:
            return
        if task.expansions:
            self._gather(task)
            return
        if not self._find_calls(task):
            return
        if asks := task.asks():
            self._ask(task, asks)
            return
        missing = task.missing(self._memo.whole)
        if not missing:
            self._remember(task)
        elif self._values_are_there(task, missing):
            if task.why == DEPENDS:
                task.why = reason(task.node, known_digests(task.node, self.tasks, task.asked) or {}, self._memo)
            self._queue(task, missing)

    def _find_calls(self, task: Task) -> bool:
        """Work out a node's calls and what the memo has of them. False when an input is not known yet."""
        node = task.node
        if any(source not in self.tasks for source in task.sources()):
            return False
        known = known_digests(node, self.tasks, task.asked)
        if known is None:
            return False
        if task.static is None:
            task.static = static_part(node, self._shared.environment.settings.profile, self._memo.fingerprint)
        marks = file_marks(node, known, self._memo, self._memo.fingerprint)
        found = calls(node.spec, task.static, known, marks)
        if task.static.unique and len(task.calls) == len(found):
            found = [CallInputs(old.key, new.inputs) for old, new in zip(task.calls, found, strict=True)]
        task.calls = found
        task.rows = [blocked_row(node, call) or self._memo.row(call.key) for call in found]
        return True

    def _ask(self, task: Task, names: set[str]) -> None:
        """Make lazy inputs that a node turned out to need, and look at it again when they are there."""
        task.asked |= names
        for name in names:
            self._use(self._demand(task.node.links[name].node), task)
        self._todo.append(task)

    def _demand(self, id: str) -> Task:
        """Return the task of a node that the plan left out, with everything above it."""
        stack = [id]
        while stack:
            node = self._nodes[stack[-1]]
            todo = [link.node for link in needed_links(node, ()).values() if link.node not in self.tasks]
            if node.id in self.tasks:
                stack.pop()
            elif todo:
                stack += todo
            else:
                self._add(node)
        return self.tasks[id]

    def _values_are_there(self, task: Task, missing: Sequence[int]) -> bool:
        """Whether every value that the calls need can be had; producers of those that are gone run again."""
        gone = {
            name
            for index in missing
            for name, digests in task.calls[index].inputs.items()
            if not all(digest in self._held or self._memo.has(digest) for digest in digests)
        }
        for name in gone:
            source = self.tasks[task.node.links[name].node]
            if source.done:
                source.done, source.forced, source.why = False, True, "its value is gone from the store"
                for above in source.sources():
                    self.tasks[above].pending += 1
                self._todo.append(source)
        return not gone

    def _queue(self, task: Task, missing: Sequence[int]) -> None:
        """Let a node run, unless somebody computes the same key already."""
        keys = list(dict.fromkeys(task.calls[index].key for index in missing))
        landed = partial(self._inbox.put, partial(self._unpark, task))
        if not self._shared.flights.take(keys, landed):
            self._parked.add(task)
        elif not task.forced and any(
            self._memo.row(call.key) != row for call, row in zip(task.calls, task.rows, strict=True)
        ):
            self._shared.flights.land(keys)
            self._todo.append(task)
        elif self._is_long(task) and not self._memo.lease(keys):
            self._shared.flights.land(keys)
            self._parked.add(task)
            self._leased[task] = time.monotonic() + POLL_SECONDS
        else:
            task.busy = True
            self._ready.append(task)

    def _is_long(self, task: Task) -> bool:
        seconds = self._memo.seconds(task.node.spec.type)
        return task.node.spec.resource == "gpu" or (seconds is not None and seconds[1] > LONG_SECONDS)

    def _unpark(self, task: Task) -> None:
        self._parked.discard(task)
        self._todo.append(task)

    def _remember(self, task: Task) -> None:
        """Take a node's outputs from the memo."""
        task.outputs = joined(task.rows, len(task.node.spec.outputs))
        self.emit(events.Remembered, node=task.node.id, class_type=task.node.spec.type)
        if task.node.spec.output_node:
            rows = zip(task.calls, task.rows, strict=True)
            try:
                placed = tuple(self._outputs.place(call.key, row) for call, row in rows if row)
            except LoomisError as error:
                self._fail(located(error, task.node))
                return
            self._show(task, placed)
        self._settle(task)

    def _show(self, task: Task, placed: Sequence[Placed]) -> None:
        notes: dict[str, list[Any]] = {}
        for row in task.rows:
            for name, items in row.note.get("notes", {}).items() if row else ():
                notes.setdefault(name, []).extend(items)
        self.placed[task.node.id] = tuple(placed)
        self.notes[task.node.id] = notes
        files = tuple(file for each in placed for file in each.files)
        written = any(each.written for each in placed)
        self.emit(events.Saved, node=task.node.id, files=files, notes=notes, written=written)

    def _settle(self, task: Task) -> None:
        """A node is done: let go of what it needed, and look at its users."""
        task.done, task.forced = True, False
        for id in task.sources():
            source = self.tasks[id]
            source.pending -= 1
            if not source.pending and id not in self._wanted:
                self._held.release(source)
        self._todo.extend(user for user in task.users if not user.done)

    # Lanes.

    def _start_ready(self) -> None:
        while self._ready:
            task = self._ready.popleft()
            spec = task.node.spec
            missing = task.missing(self._memo.whole)
            self.emit(events.NodeStarted, node=task.node.id, class_type=spec.type, why=task.why)
            alone = not (self._running or self._ready or self._parked)
            self._running += 1
            if spec.is_async:
                self._start_async(task, missing)
            elif alone and spec.resource == "cpu":
                self._done(task, self._work.do(task, missing))
                self._look_at_all()
            else:
                self._shared.lanes.submit(spec.resource, partial(self._do, task, missing))
            if self._error:
                return

    def _do(self, task: Task, missing: Sequence[int]) -> None:
        self._inbox.put(partial(self._done, task, self._work.do(task, missing)))

    def _start_async(self, task: Task, missing: Sequence[int]) -> None:
        async def do() -> None:
            self._inbox.put(partial(self._done, task, await self._work.do_async(task, missing)))

        def ended(future: "Future[None]") -> None:
            if future.cancelled():
                self._inbox.put(partial(self._done, task, self._work.cancelled(task)))

        future = self._futures[task] = self._shared.lanes.start(do())
        future.add_done_callback(ended)

    def _done(self, task: Task, report: Report) -> None:
        """Back in the loop: take what a lane made."""
        self._running -= 1
        self._futures.pop(task, None)
        task.busy = False
        self._let_go(task)
        if report.error:
            self._fail(report.error)
            return
        if report.lost:
            self._todo.append(task)
            return
        for index, (outcome, row) in report.done.items():
            task.rows[index] = row
            if outcome.expanded:
                task.expansions[index] = Expansion(outcome.expanded, task.calls[index].key)
            if task.pending or task.node.id in self._wanted:
                self._held.hold(task, outcome)
            for message in outcome.notes.get("blocked", ()):
                self.emit(events.Warned, message=message, node=task.node.id)
        if asks := task.asks():
            self._ask(task, asks)
            return
        self.emit(events.NodeFinished, node=task.node.id, seconds=sum(o.seconds for o, _ in report.done.values()))
        if task.expansions:
            self._expand(task)
            return
        task.outputs = joined(task.rows, len(task.node.spec.outputs))
        if task.node.spec.output_node:
            self._show(task, report.placed)
        self._settle(task)

    def _let_go(self, task: Task) -> None:
        keys = [call.key for call in task.calls]
        self._memo.release(keys)
        self._shared.flights.land(keys)

    # Expansion.

    def _expand(self, task: Task) -> None:
        """Put the nodes of an expansion into the run."""
        registry, folders = self._shared.registry, self._shared.environment.folders
        try:
            for expansion in task.expansions.values():
                raw, bound = grow(expansion, task.node, self._raw, registry, folders)
                self._raw |= raw
                self._nodes |= bound
                for id in [id for id, node in bound.items() if node.spec.output_node]:
                    self._demand(id)
                for link in expansion.links:
                    self._use(self._demand(link.node), task)
        except LoomisError as error:
            self._fail(located(error, task.node))
            return
        self._todo.append(task)

    def _gather(self, task: Task) -> None:
        """Finish an expanded node when the nodes that stand for it are done."""
        links = [link for expansion in task.expansions.values() for link in expansion.links]
        if not all(self.tasks[link.node].done for link in links):
            return
        for index, expansion in task.expansions.items():
            outcome = expansion.outcome(self.tasks)
            task.rows[index] = self._memo.remember(task.node.spec, expansion.key, outcome, {})
            if task.pending:
                self._held.hold(task, outcome)
        task.expansions = {}
        task.outputs = joined(task.rows, len(task.node.spec.outputs))
        self._settle(task)
