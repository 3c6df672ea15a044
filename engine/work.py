"""What happens on a lane: the calls of a node that are not remembered, one after the other."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine import events
from engine.call import Outcome, arguments, asks, invoke, invoke_async
from engine.context import Context, Environment
from engine.errors import Cancelled, LoomisError
from engine.failures import located
from engine.gradients import record_none
from engine.inplace import ChangedInput, changed, copied, versions
from engine.keys import CallInputs, calls, static_part
from engine.memo import Lost, Memo
from engine.outputs import Outputs, Placed
from engine.plan import file_marks, trace
from engine.rows import Row
from engine.task import Held, Task
from engine.values import Opaque


@dataclass(slots=True)
class Completion:
    """What came of a node's calls: outcomes and rows by call, files, or what went wrong, or values that were gone."""

    done: dict[int, tuple[Outcome, Row | None]] = field(default_factory=dict)
    placed: dict[int, Placed] = field(default_factory=dict)
    error: LoomisError | None = None
    lost: tuple[bytes, ...] = ()


class Work:
    """What the lanes need to know of a run."""

    def __init__(
        self,
        memo: Memo,
        environment: Environment,
        held: Held,
        outputs: Outputs,
        hidden: Mapping[str, Any],
        emit: Callable[..., None],
        cancel: threading.Event,
    ) -> None:
        self.memo = memo
        self.environment = environment
        self.held = held
        self.outputs = outputs
        self.hidden = hidden
        self.emit = emit
        self.stop = threading.Event()
        self.cancel = cancel

    def do(self, task: Task, missing: Sequence[int]) -> Completion:
        """Make the calls of a node whose function is not async."""
        completion = Completion()
        try:
            record_none()
            self._ask(task, missing, completion)
            for index in () if completion.done else self._each_once(task, missing, completion):
                if self.stopped():
                    return self.cancelled(task)
                given, before = self._given(task, index)
                try:
                    outcome = invoke(task.node, task.calls[index], given)
                finally:
                    self._see_changes(task, index, changed(before))
                self._keep(task, index, outcome, completion)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:  # what a thread of a pool does not catch, nobody hears of
            self._failed(failure, task, completion)
        return completion

    async def do_async(self, task: Task, missing: Sequence[int]) -> Completion:
        """Make the calls of an ``async def`` node."""
        completion = Completion()
        try:
            record_none()
            self._ask(task, missing, completion)
            for index in () if completion.done else self._each_once(task, missing, completion):
                given, before = self._given(task, index)
                try:
                    outcome = await invoke_async(task.node, task.calls[index], given)
                finally:
                    self._see_changes(task, index, changed(before))
                self._keep(task, index, outcome, completion)
        except Exception as failure:
            self._failed(failure, task, completion)
        return completion

    def _each_once(self, task: Task, missing: Sequence[int], completion: Completion) -> Iterator[int]:
        """Yield the calls to make. Of several with one key the first is made, and the others have what it gave."""
        first: dict[bytes, int] = {}
        for index in missing:
            made = first.setdefault(task.calls[index].key, index)
            if made == index:
                yield index
                continue
            outcome, row = completion.done[made]
            completion.done[index] = (replace(outcome, seconds=0.0), row)
            if made in completion.placed:
                completion.placed[index] = completion.placed[made]

    def cancelled(self, task: Task) -> Completion:
        """Return what comes of a node that was stopped: between two calls, or at an await."""
        return Completion(error=Cancelled("The run was cancelled.", node=task.node.id))

    def _ask(self, task: Task, missing: Sequence[int], completion: Completion) -> None:
        """Let a lazy node say what it needs. While one of its calls still asks, none is made."""
        if task.node.spec.lazy is None:
            return
        for index in missing:
            given, _ = self._given(task, index)
            if names := asks(task.node, given, task.asked):
                self._keep(task, index, Outcome(asks=names), completion)

    def _failed(self, failure: BaseException, task: Task, completion: Completion) -> None:
        """Note a failure. Lost values are no failure: they are made again."""
        if isinstance(failure, Lost):
            completion.lost = failure.digests
            return
        completion.error = located(failure, task.node)

    def _see_changes(self, task: Task, index: int, names: Sequence[str]) -> None:
        """Forget values that a call changed in place.

        Raises:
            ChangedInput: there are such.
        """
        for name in names:
            digests = task.calls[index].inputs.get(name, ())
            self.held.drop(digests)
            self.memo.forget(digests)
        if names:
            raise ChangedInput(task.node, names[0])

    def _context(self, task: Task) -> Context:
        id = task.node.id

        def report(value: int, maximum: int, preview: Callable[[], bytes] | None, note: str) -> None:
            self.emit(events.Progress, node=id, value=value, maximum=maximum, preview=preview, note=note)

        def warn(message: str) -> None:
            self.emit(events.Warned, message=message, node=id)

        return Context(id, self.environment, report, self.stopped, warn, self.memo.places)

    def _given(self, task: Task, index: int) -> tuple[dict[str, Any], Sequence[tuple[str, Any, int]]]:
        """Return a call's arguments, and the versions of the tensors in them that the node must not change."""
        copies = bool(task.node.spec.foreign)
        given = arguments(
            task.node,
            task.calls[index],
            self._copy if copies else self.value,
            lambda: {**self.hidden, "UNIQUE_ID": task.node.id},
            lambda: self._context(task),
        )
        return given, () if copies else versions(given)

    def stopped(self) -> bool:
        """Whether nodes should end: the run failed, or was cancelled."""
        return self.stop.is_set() or self.cancel.is_set()

    def value(self, digest: bytes) -> Any:
        """Return a value from this run or from the store.

        Raises:
            Lost: it is gone.
        """
        found = self.held.get(digest, self.memo.value)
        return found.value if isinstance(found, Opaque) else found

    def _copy(self, digest: bytes) -> Any:
        return copied(self.value(digest))

    def text(self, digest: bytes) -> str | None:
        """Return the text with this digest, if it is there."""
        found = self.held.get(digest, self.memo.text)
        return found if isinstance(found, str) else None

    def _keep(self, task: Task, index: int, outcome: Outcome, completion: Completion) -> None:
        """Remember a call's result and write its files. An expanded call has no result yet."""
        if outcome.expanded:
            completion.done[index] = (outcome, None)
            return
        call = task.calls[index]
        keep = outcome.exact and self._may_keep(task, call)
        row = self.memo.remember(task.node.spec, call.key, outcome, trace(task.node, call.inputs), keep=keep)
        if task.node.spec.output_node and not row.asks:
            completion.placed[index] = self.outputs.place(task.node.id, call.key, row, outcome)
        completion.done[index] = (outcome, row)

    def _may_keep(self, task: Task, call: CallInputs) -> bool:
        """Whether a result may be remembered: a file that changed since the key was made has another key now."""
        node, fingerprint = task.node, self.memo.fingerprint
        if task.static is not None and task.static.unique:
            return False
        if not node.spec.files:
            return True
        static = static_part(node, self.environment.settings.profile, fingerprint)
        marks = file_marks(node, call.inputs, self.text, fingerprint)
        (now,) = calls(node.spec, static, call.inputs, marks)
        if now.key != call.key:
            message = f"A file that {node.spec.type} uses changed during the run; its result is not remembered."
            self.emit(events.Warned, message=message, node=node.id)
        return now.key == call.key
