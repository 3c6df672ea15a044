"""Run a graph: one loop over ready nodes.

A node is looked at when the digests of all its inputs are known. If the memo has its outputs, it is remembered. If not,
it waits for the values of its inputs (a producer whose value is gone runs again), for anyone who computes the same key,
and then goes to its lane. What comes back is put into the memo, and the node's users are looked at.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from engine import events
from engine.binding import BoundNode
from engine.context import Environment
from engine.cycles import cycle_error
from engine.errors import Cancelled, LoomisError
from engine.expansion import Expansion, grow
from engine.failures import located
from engine.flights import Flights
from engine.formats.diagnostics import Diagnostic
from engine.garbage import collected_later
from engine.keys import CallInputs, Digests, calls, static_part
from engine.lanes import Lanes
from engine.memo import Lost, Memo
from engine.node import Registry
from engine.outputs import Outputs
from engine.plan import (
    DEPENDS,
    GONE,
    Plan,
    Planner,
    blocked_row,
    file_marks,
    known_digests,
    needed_links,
    reason,
    trace,
)
from engine.task import Held, Task
from engine.told import Told
from engine.validate import BoundGraph
from engine.work import Report, Work

POLL_SECONDS = 0.05
LONG_SECONDS = 0.05
"""A node that is expected to take longer is announced to other processes."""

BRIEF_SECONDS = 0.001
"""A node that is expected to take less is called by the loop itself: handing it to a thread would take longer."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all runs of an engine share."""

    registry: Registry
    environment: Environment
    memo: Memo
    lanes: Lanes
    flights: Flights


class Run:
    """One run of one graph. ``told`` holds what it said, and per output node its files and texts."""

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
        self._shared = shared
        self._memo = shared.memo
        self._graph = graph
        self._nodes = dict(graph.nodes)
        self._raw = {id: graph.graph.nodes[id] for id in graph.nodes}
        self._wanted = frozenset(wanted)
        self._cancel = cancel
        self._remarks = remarks
        self._held = Held()
        outputs = Outputs(shared.memo, shared.environment.folders, prompt, extra)
        self.told = Told(job, on_event, outputs, self._fail)
        self.emit = self.told.emit
        hidden = {"PROMPT": prompt, "DYNPROMPT": prompt, "EXTRA_PNGINFO": extra}
        self._work = Work(shared.memo, shared.environment, self._held, outputs, hidden, self.emit, cancel)
        self._todo: deque[Task] = deque()
        self._ready: deque[tuple[Task, Sequence[int]]] = deque()
        self._brief: deque[tuple[Task, Sequence[int]]] = deque()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._running = 0
        self._parked: set[Task] = set()
        self._leased: dict[Task, float] = {}
        self._futures: dict[Task, Future[None]] = {}
        self._error: Exception | None = None

    # The loop.

    def execute(self) -> None:
        """Run until every wanted node is done.

        Raises:
            LoomisError: a node failed, or the run was cancelled (Cancelled). What was done stays remembered.
            Exception: what the listener raised.
        """
        began = time.time()
        self.emit(events.Started, time=began)
        for remark in self._remarks:
            self.emit(events.Warned, message=remark.text, node=remark.node)
        try:
            try:
                self._loop()
            finally:
                self._end()
            self._check_done()
        except Cancelled:
            self.emit(events.WasCancelled)
            raise
        except Exception as error:
            told = error if isinstance(error, LoomisError) else LoomisError(f"{type(error).__name__}: {error}")
            self.emit(events.Failed, error=told.as_dict())
            raise
        self.emit(events.Finished, seconds=time.time() - began)
        if self._error:
            raise self._error

    def values(self, node: str) -> tuple[list[Any], ...]:
        """Return the values on each output of a wanted node. A wire is a list of values, usually of one."""
        return tuple([self._work.value(digest) for digest in digests] for digests in self.tasks[node].outputs or ())

    def _loop(self) -> None:
        with collected_later():
            self._begin(self._plan())
        self._look_at_all()
        while not self._error and (self._ready or self._brief or self._running or self._parked):
            self._start_ready()
            self._wait()
            self._look_at_all()

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
            task.rows = step.rows
            task.outputs = step.outputs
            task.forced = step.state == "runs" and step.outputs is not None
            if step.state == "remembered" and self._is_kept(task):
                self._remember(task)
            elif step.state != "depends":
                self._todo.append(task)

    def _add(self, node: BoundNode, asked: frozenset[str] = frozenset()) -> Task:
        task = self.tasks[node.id] = Task(node, asked)
        for source in task.sources:
            self._use(self.tasks[source], task)
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
        with suppress(Empty):
            self._inbox.get(timeout=POLL_SECONDS)()
        self._hear()
        for task in [task for task, due in self._leased.items() if due <= time.monotonic()]:
            del self._leased[task]
            self._unpark(task)

    def _hear(self) -> None:
        """Handle what the lanes have said."""
        while not self._inbox.empty():
            self._inbox.get()()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._stop()

    def _stop(self) -> None:
        """Let nodes that run end at their next step."""
        self._work.stop.set()
        for future in list(self._futures.values()):
            future.cancel()

    def _end(self) -> None:
        """Leave no node running and no key taken, however the loop ended."""
        self._stop()
        for task, _ in (*self._ready, *self._brief):
            self._let_go(task)
        while self._running:
            try:
                self._inbox.get()()
            except Exception as error:
                self._error = self._error or error

    def _check_done(self) -> None:
        """See that every node is done. What waits for itself is a cycle, made by an expansion."""
        if self._error:
            raise self._error
        stuck = {id: task for id, task in self.tasks.items() if not task.done}
        if stuck:
            waits = {
                id: {*task.sources, *(link.node for link in task.stand_ins())} & stuck.keys()
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
        if not missing and not self._is_kept(task):
            task.forced, task.why = True, GONE
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
        known = known_digests(node, self.tasks, task.asked)
        if known is None:
            return False
        if task.static is None:
            task.static = static_part(node, self._shared.environment.settings.profile, self._memo.fingerprint)
        marks = file_marks(node, known, self._work.text, self._memo.fingerprint)
        found = calls(node.spec, task.static, known, marks)
        if task.static.unique and len(task.calls) == len(found):
            found = [CallInputs(old.key, new.inputs) for old, new in zip(task.calls, found, strict=True)]
        task.calls = found
        task.rows = [blocked_row(node, call) or self._memo.row(call.key) for call in found]
        return True

    def _ask(self, task: Task, names: Collection[str]) -> None:
        """Make lazy inputs that a node turned out to need, and look at it again when they are there."""
        before = task.sources
        task.ask(names)
        for id in task.sources:
            if id not in before:
                self._use(self._demand(id), task)
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
                self._todo.append(self._add(node))
        return self.tasks[id]

    def _values_are_there(self, task: Task, missing: Sequence[int]) -> bool:
        """Whether every value that the calls need can be had; producers of those that are gone run again."""
        gone = {
            name
            for index in missing
            for name, digests in task.calls[index].inputs.items()
            if not self._have((digests,))
        }
        for name in gone:
            self._again(task.node.links[name].node)
        return not gone

    def _have(self, outputs: Iterable[Digests]) -> bool:
        return all(digest in self._held or self._memo.has(digest) for digests in outputs for digest in digests)

    def _is_kept(self, task: Task) -> bool:
        """Take hold of what a remembered node gave, if that is asked for. False when it is gone."""
        if task.node.id not in self._wanted:
            return True
        try:
            self._held.keep(task, {digest: self._work.value(digest) for wire in task.joined() for digest in wire})
        except Lost:
            return False
        return True

    def _again(self, id: str) -> None:
        """Make a node's values again. For one that expanded, the nodes make them that stand for it."""
        stack = [id]
        while stack:
            task = self.tasks[stack.pop()]
            if not task.done:
                continue
            task.done = False
            for above in task.sources:
                self.tasks[above].pending += 1
            inner = [link.node for link in task.stand_ins() if not self._have(self.tasks[link.node].outputs or ())]
            stack += inner
            if not inner and len(task.expansions) < len(task.calls):
                task.expansions = {}
                task.forced, task.why = True, GONE
            self._todo.append(task)

    def _queue(self, task: Task, missing: Sequence[int]) -> None:
        """Let a node run, unless somebody computes the same key already."""
        keys = list(dict.fromkeys(task.calls[index].key for index in missing))
        landed = partial(self._inbox.put, partial(self._unpark, task))
        if not self._shared.flights.take(keys, landed):
            self._parked.add(task)
        elif not task.forced and self._came_meanwhile(task, missing):
            self._shared.flights.land(keys)
            self._todo.append(task)
        elif self._is_long(task) and not self._memo.lease(keys):
            self._shared.flights.land(keys)
            self._parked.add(task)
            self._leased[task] = time.monotonic() + POLL_SECONDS
        else:
            task.busy = True
            (self._brief if self._is_brief(task) else self._ready).append((task, missing))

    def _came_meanwhile(self, task: Task, missing: Sequence[int]) -> bool:
        """Whether another run made one of these calls after it was looked for and before its flight was taken."""
        return any(
            (row := self._memo.row_at_hand(task.calls[index].key)) is not None and row != task.rows[index]
            for index in missing
        )

    def _is_long(self, task: Task) -> bool:
        seconds = self._memo.seconds(task.node.spec.type)
        return task.node.spec.resource == "gpu" or (seconds is not None and seconds[1] > LONG_SECONDS)

    def _is_brief(self, task: Task) -> bool:
        seconds = self._memo.seconds(task.node.spec.type)
        return task.node.spec.resource == "cpu" and seconds is not None and seconds[1] < BRIEF_SECONDS

    def _unpark(self, task: Task) -> None:
        self._parked.discard(task)
        self._todo.append(task)

    def _remember(self, task: Task) -> None:
        """Take a node's outputs from the memo."""
        task.outputs = task.joined()
        self.emit(events.Remembered, node=task.node.id, class_type=task.node.spec.type)
        for row in task.rows:
            self.told.warn_of_blocks(task, row.note.get("notes") if row else None)
        if task.node.spec.output_node:
            self.told.show(task, {})
        self._settle(task)

    def _settle(self, task: Task) -> None:
        """A node is done: let go of what it needed, and look at its users."""
        task.done, task.forced = True, False
        for id in task.sources:
            source = self.tasks[id]
            source.pending -= 1
            if not source.pending and id not in self._wanted and not (source.static and source.static.unique):
                self._held.release(source)
        self._todo.extend(user for user in task.users if not user.done)

    # Lanes.

    def _start_ready(self) -> None:
        """Hand what is ready to the lanes, then call the brief ones here."""
        while self._ready or self._brief:
            brief = not self._ready
            task, missing = (self._brief if brief else self._ready).popleft()
            spec = task.node.spec
            self.emit(events.NodeStarted, node=task.node.id, class_type=spec.type, why=task.why)
            alone = not (self._running or self._ready or self._brief or self._parked)
            if spec.is_async:
                self._start_async(task, missing)
            elif brief or (alone and spec.resource == "cpu"):
                self._do_here(task, missing)
            else:
                self._shared.lanes.submit(spec.resource, partial(self._do, task, missing))
                self._running += 1
            if self._error:
                return

    def _do_here(self, task: Task, missing: Sequence[int]) -> None:
        self._running += 1
        try:
            report = self._work.do(task, missing)
        except KeyboardInterrupt:
            self._done(task, self._work.cancelled(task))
            raise
        self._done(task, report)
        self._hear()
        self._look_at_all()

    def _do(self, task: Task, missing: Sequence[int]) -> None:
        self._inbox.put(partial(self._done, task, self._work.do(task, missing)))

    def _start_async(self, task: Task, missing: Sequence[int]) -> None:
        async def do() -> None:
            self._inbox.put(partial(self._done_async, task, await self._work.do_async(task, missing)))

        def ended(future: "Future[None]") -> None:
            if future.cancelled():
                self._inbox.put(partial(self._done_async, task, self._work.cancelled(task)))

        future = self._futures[task] = self._shared.lanes.start(do())
        self._running += 1
        future.add_done_callback(ended)

    def _done_async(self, task: Task, report: Report) -> None:
        """Take the first report of a coroutine: one that is cancelled at its end sends two."""
        if self._futures.pop(task, None):
            self._done(task, report)

    def _done(self, task: Task, report: Report) -> None:
        """Back in the loop: take what a lane made."""
        self._running -= 1
        task.busy = False
        self._let_go(task)
        if report.error:
            self._fail(report.error)
            return
        if report.lost:
            self._todo.append(task)
            return
        rows = task.rows = list(task.rows)
        for index, (outcome, row) in report.done.items():
            rows[index] = row
            if outcome.expanded:
                task.expansions[index] = Expansion(outcome.expanded, task.calls[index].key)
            if task.pending or task.node.id in self._wanted:
                self._held.hold(task, outcome)
            self.told.warn_of_blocks(task, outcome.notes)
        if asks := task.asks():
            self._ask(task, asks)
            return
        self.emit(events.NodeFinished, node=task.node.id, seconds=sum(o.seconds for o, _ in report.done.values()))
        if task.expansions:
            self._expand(task)
            return
        task.outputs = task.joined()
        if task.node.spec.output_node:
            self.told.show(task, report.placed)
        self._settle(task)

    def _let_go(self, task: Task) -> None:
        keys = [call.key for call in task.calls]
        self._memo.release(keys)
        self._shared.flights.land(keys)

    # Expansion.

    def _expand(self, task: Task) -> None:
        """Put the nodes of an expansion into the run."""
        registry, folders = self._shared.registry, self._shared.environment.folders
        for index, expansion in task.expansions.items():
            try:
                grown, raw, bound = grow(expansion, task.node, self._raw, registry, folders)
            except LoomisError as error:
                raise located(error, task.node) from error
            task.expansions[index] = grown
            self._raw |= raw
            self._nodes |= bound
            for id in [id for id, node in bound.items() if node.spec.output_node]:
                self._demand(id)
                task.shows = True
            for link in grown.links:
                self._use(self._demand(link.node), task)
        self._todo.append(task)

    def _gather(self, task: Task) -> None:
        """Finish an expanded node when the nodes that stand for it are done.

        It is not remembered as a whole where output nodes are inside: they have to be seen in every run.
        """
        wanted = task.node.id in self._wanted
        inner = [self.tasks[link.node] for link in task.stand_ins()]
        if not all(each.done for each in inner):
            return
        task.shows = task.shows or any(each.shows for each in inner)
        keep = not task.shows and not (task.static and task.static.unique)
        rows = task.rows = list(task.rows)
        for index, expansion in task.expansions.items():
            outcome = expansion.outcome(task.node.spec, self.tasks)
            went_in = trace(task.node, task.calls[index].inputs)
            rows[index] = self._memo.remember(task.node.spec, expansion.key, outcome, went_in, keep=keep)
            if task.pending or wanted:
                self._held.hold(task, outcome)
        task.outputs = task.joined()
        if not self._is_kept(task):
            for each in inner:
                if not self._have(each.outputs or ()):
                    self._again(each.node.id)
            self._todo.append(task)
            return
        if task.node.spec.output_node:
            self.told.show(task, {})
        self._settle(task)
