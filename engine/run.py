"""Run a graph: one loop over ready nodes.

A node is looked at when the digests of all its inputs are known. If the memo has its outputs, it is remembered. If not,
it waits for the values of its inputs (a producer whose value is gone runs again), for anyone who computes the same key,
and then goes to its lane. What comes back is put into the memo, and the node's users are looked at.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine import events
from engine.claims import Claims
from engine.context import Environment
from engine.cycles import cycle_error
from engine.dispatch import Dispatch
from engine.errors import Cancelled, LoomisError, Paused, StoreError
from engine.expander import Expander
from engine.expansion import Expansion
from engine.flights import Flights
from engine.formats.diagnostics import Diagnostic
from engine.garbage import collected_later, seldom_collected
from engine.gradients import given_back
from engine.lanes import Lanes
from engine.memo import Memo
from engine.node import Registry
from engine.outputs import Outputs, Placed
from engine.plan import DEPENDS, GONE, Plan, Planner, reason
from engine.provenance import Provenance
from engine.task import Held, Task
from engine.tasks import Tasks
from engine.told import Told
from engine.validate import BoundGraph
from engine.work import Completion, Work

POLL_SECONDS = 0.05


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
        pause: threading.Event,
        extra: Mapping[str, Any],
        provenance: Provenance,
        remarks: Sequence[Diagnostic] = (),
        output: Path | None = None,
    ) -> None:
        prompt, folders = graph.graph.prompt, shared.environment.folders
        self.job = job
        self._environment = shared.environment
        self._memo = memo = shared.memo.writing_to(output) if output else shared.memo
        self._graph = graph
        self._cancel = cancel
        self._pause = pause
        self._remarks = remarks
        self._held = Held()
        outputs = Outputs(memo, memo.places, prompt, extra, provenance)
        self.told = Told(job, on_event, outputs, self._fail)
        self.emit = self.told.emit
        hidden: dict[str, Any] = {"PROMPT": prompt, "EXTRA_PNGINFO": extra}
        self._work = Work(memo, shared.environment, self._held, outputs, hidden, self.emit, cancel)
        self._tasks = Tasks(graph, self._work, wanted)
        hidden["DYNPROMPT"] = self._tasks.raw
        self._expander = Expander(self._tasks, self._work, shared.registry, folders)
        self._dispatch = Dispatch(shared.lanes, memo, self._work, self._done)
        self._claims = Claims(memo, shared.flights, self._tasks.todo.append, self._dispatch.post)
        self._error: Exception | None = None

    def values(self, node: str) -> tuple[list[Any], ...]:
        """Return the values on each output of a wanted node. A wire is a list of values, usually of one."""
        outputs = self._tasks[node].outputs or ()
        return tuple([self._work.value(digest) for digest in digests] for digests in outputs)

    def keep(self, node: str) -> None:
        """Have the outputs of a wanted node in the store, however cheap they are."""
        task = self._tasks[node]
        for row in filter(None, task.rows):
            for digest in (digest for wire in row.outputs for digest in wire):
                self._memo.store.keep(digest, task.node.spec.type, row.cost)

    def execute(self) -> None:
        """Run until every wanted node is done. Collection is held back by the caller, and not while nodes run.

        Raises:
            LoomisError: a node failed, or the run was cancelled (Cancelled). What was done stays remembered.
            Exception: what the listener raised.
        """
        try:
            self._execute()
        finally:
            self._break_cycles()

    def _execute(self) -> None:
        began = time.time()
        self.emit(events.Started, time=began)
        for remark in self._remarks:
            self.emit(events.Warned, message=remark.text, node=remark.node)
        try:
            try:
                with given_back():
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

    def _break_cycles(self) -> None:
        """Let a run that has ended be freed with its last user: a full collection may be far off."""
        del self._dispatch, self._claims
        self.told.unbind()

    @seldom_collected
    def _loop(self) -> None:
        self._begin(self._plan())
        self._look_at_all()
        if self._goes_on():
            with collected_later.lifted():
                while self._goes_on():
                    self._start_ready()
                    self._wait()
                    self._look_at_all()

    def _goes_on(self) -> bool:
        """Whether a node is to be started, runs, or waits for somebody else."""
        return not self._error and bool(self._dispatch.ready or self._dispatch.running or self._claims.parked)

    def _plan(self) -> Plan:
        profile = self._environment.settings.profile
        plan = Planner(self._graph, self._memo, profile, self._memo.fingerprint).plan(self._tasks.wanted)
        self.emit(
            events.Planned,
            remembered=plan.nodes("remembered"),
            runs={id: plan.steps[id].why for id in plan.nodes("runs")},
            depends=plan.nodes("depends"),
            seconds=plan.seconds,
            expected={id: step.seconds for id, step in plan.steps.items() if step.seconds[1]},
        )
        return plan

    def _begin(self, plan: Plan) -> None:
        """Tell what is remembered, and make tasks of the other steps."""
        for step, node, task in self._tasks.begin(plan):
            if task is None:
                self.told.remember(node, step.calls, step.rows)
            elif step.state != "depends":
                self._tasks.todo.append(task)

    def _start_ready(self) -> None:
        """Hand what is ready to the lanes, and call the brief ones here."""
        while self._dispatch.ready and not self._error and not self._pause.is_set():
            if self._dispatch.start_next(alone=not self._claims.parked):
                self._dispatch.hear()
                self._look_at_all()

    def _wait(self) -> None:
        """Handle what the lanes say; look up now and then."""
        if self._cancel.is_set():
            self._fail(Cancelled("The run was cancelled."))
        if self._pause.is_set() and not self._dispatch.running and (self._dispatch.ready or self._claims.parked):
            self._fail(Paused("The run was stopped between two nodes."))
        if self._dispatch.running or self._claims.parked:
            self._dispatch.hear(POLL_SECONDS)
            self._claims.poll()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._dispatch.stop()

    def _end(self) -> None:
        """Leave no node running and no key taken, however the loop ended."""
        self._dispatch.stop()
        for task in self._dispatch.drop():
            self._claims.release(task)
        while self._dispatch.running:
            try:
                self._dispatch.wait()
            except Exception as error:
                self._error = self._error or error

    def _check_done(self) -> None:
        """See that every node is done. What waits for itself is a cycle, made by an expansion."""
        if self._error:
            raise self._error
        if stuck := self._tasks.stuck():
            raise cycle_error(stuck, {id: self._tasks[id].node for id in stuck})

    # One node.

    def _look_at_all(self) -> None:
        while self._tasks.todo and not self._error:
            self._look(self._tasks.todo.popleft())

    def _look(self, task: Task) -> None:
        """Take a node as far as it can go now."""
        if task.done or task.busy or task in self._claims.parked:
            return
        if task.expansions:
            if self._expander.gather(task):
                self._show_and_settle(task)
            return
        if not self._tasks.find_calls(task):
            return
        if asks := task.asks():
            self._tasks.ask(task, asks)
            return
        missing = task.missing(self._memo.whole)
        if not missing and not self._tasks.keep_wanted(task):
            task.forced, task.why = True, GONE
            missing = task.missing(self._memo.whole)
        if not missing:
            task.outputs = task.joined()
            self.told.remember(task.node, task.calls, task.rows)
            self._tasks.settle(task)
        elif self._tasks.values_are_there(task, missing):
            if task.why == DEPENDS:
                task.why = reason(task.node, self._tasks.known(task) or {}, self._memo)
            self._expander.check_ends(task, missing)
            if self._claims.take(task, missing):
                self._dispatch.add(task, missing)

    def _show_and_settle(self, task: Task, written: Mapping[int, Placed] = MappingProxyType({})) -> None:
        if task.node.spec.output_node:
            self.told.show(task.node, task.calls, task.rows, written)
        self._tasks.settle(task)

    def _done(self, task: Task, completion: Completion) -> None:
        """Back in the loop: take what a lane made."""
        self._claims.release(task)
        if completion.error:
            self._fail(completion.error)
            return
        if completion.lost:
            try:
                self._tasks.refer(task, completion.lost)
            except StoreError as error:
                self._fail(error)
            self._tasks.todo.append(task)
            return
        rows = task.rows = list(task.rows)
        for index, (outcome, row) in completion.done.items():
            rows[index] = row
            if outcome.expanded:
                task.expansions[index] = Expansion(outcome.expanded, task.calls[index].key)
            if task.pending or task.node.id in self._tasks.wanted:
                self._held.hold(task, outcome)
            self.told.warn_of_blocks(task.node.id, outcome.notes)
        if asks := task.asks():
            self._tasks.ask(task, asks)
            return
        self.emit(events.NodeFinished, node=task.node.id, seconds=sum(o.seconds for o, _ in completion.done.values()))
        if task.expansions:
            self._expander.expand(task)
            return
        task.outputs = task.joined()
        self._show_and_settle(task, completion.placed)
