"""The tasks of one run: what each needs, who needs it, and what has to be made again."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from engine.binding import BoundNode
from engine.errors import StoreError
from engine.graph import Node
from engine.keys import CallInputs, Digests, calls, static_part
from engine.memo import Lost
from engine.plan import GONE, Plan, Step, blocked_row, file_marks, known_digests, needed_links
from engine.task import Task
from engine.validate import BoundGraph
from engine.work import Work


class Tasks:
    """The tasks of one run by node id. ``todo`` are those to look at; ``wanted`` the ids whose values are asked for.

    A remembered step of the plan becomes a task when it is first asked for.
    """

    def __init__(self, graph: BoundGraph, work: Work, wanted: Collection[str]) -> None:
        self._tasks: dict[str, Task] = {}
        self.todo: deque[Task] = deque()
        self.wanted = frozenset(wanted)
        self.raw: dict[str, Node] = {id: graph.graph.nodes[id] for id in graph.nodes}
        self._nodes = dict(graph.nodes)
        self._steps: Mapping[str, Step] = {}
        self._work = work
        self._memo = work.memo
        self._held = work.held
        self._profile = work.environment.settings.profile

    # What a run has to do.

    def begin(self, plan: Plan) -> Iterator[tuple[Step, BoundNode, Task | None]]:
        """Yield every step, its node, and its task: none where it is remembered and no value of it is asked for."""
        self._steps = plan.steps
        for id, step in plan.steps.items():
            if step.state == "remembered" and id not in self.wanted:
                yield step, self._nodes[id], None
            else:
                task = self._make(id)
                self._link(task)
                yield step, task.node, task

    def __getitem__(self, id: str) -> Task:
        """Return the task of a node that the plan or an expansion has."""
        task = self._tasks.get(id)
        if task is None:
            task = self._make(id)
            task.done = True
        return task

    def _make(self, id: str) -> Task:
        """Make a task of a step of the plan."""
        step = self._steps[id]
        task = self._tasks[id] = Task(self._nodes[id], step.asked)
        task.static = step.static
        task.why = step.why
        task.calls = step.calls
        task.rows = step.rows
        task.outputs = step.outputs
        task.forced = step.state == "runs" and step.outputs is not None
        return task

    def _link(self, task: Task) -> None:
        """Note that a task needs its sources."""
        task.linked = True
        for source in task.sources:
            self.use(self[source], task)

    def join(self, raw: Mapping[str, Node], bound: Mapping[str, BoundNode]) -> None:
        """Let the nodes of an expansion join the run. They become tasks on ``demand``."""
        self.raw |= raw
        self._nodes |= bound

    def use(self, source: Task, user: Task) -> None:
        """Note that one task needs another."""
        source.users.append(user)
        source.pending += 1

    def ask(self, task: Task, names: Collection[str]) -> None:
        """Make lazy inputs that a node turned out to need, and look at it again when they are there."""
        before = task.sources
        task.ask(names)
        for id in task.sources:
            if id not in before:
                self.use(self.demand(id), task)
        self.todo.append(task)

    def demand(self, id: str) -> Task:
        """Return the task of a node that the plan left out, with everything above it."""
        stack = [id]
        while stack:
            node = self._nodes[stack[-1]]
            todo = [link.node for link in needed_links(node, ()).values() if not self._has_task(link.node)]
            if self._has_task(node.id):
                stack.pop()
            elif todo:
                stack += todo
            else:
                task = self._tasks[node.id] = Task(node)
                self._link(task)
                self.todo.append(task)
        return self[id]

    def _has_task(self, id: str) -> bool:
        return id in self._tasks or id in self._steps

    def settle(self, task: Task) -> None:
        """A node is done: let go of what it needed, and look at its users."""
        task.done, task.forced = True, False
        for id in task.sources:
            source = self[id]
            source.pending -= 1
            if not source.pending and id not in self.wanted and not (source.static and source.static.unique):
                self._held.release(source)
        self.todo += [user for user in task.users if not user.done]

    def stuck(self) -> dict[str, set[str]]:
        """Return the tasks that are not done, and for each those of them that it waits for."""
        left = {id: task for id, task in self._tasks.items() if not task.done}
        return {
            id: {*task.sources, *(link.node for link in task.stand_ins())} & left.keys() for id, task in left.items()
        }

    # What a node's calls are.

    def known(self, task: Task) -> dict[str, Digests] | None:
        """Return the digests on a node's needed links, or None when one is not known yet."""
        return known_digests(task.node, self, task.asked)

    def find_calls(self, task: Task) -> bool:
        """Work out a node's calls and what the memo has of them. False when an input is not known yet."""
        node = task.node
        known = self.known(task)
        if known is None:
            return False
        if task.static is None:
            task.static = static_part(node, self._profile, self._memo.fingerprint)
        marks = file_marks(node, known, self._work.text, self._memo.fingerprint)
        found = calls(node.spec, task.static, known, marks)
        if task.static.unique and len(task.calls) == len(found):
            found = [CallInputs(old.key, new.inputs) for old, new in zip(task.calls, found, strict=True)]
        task.calls = found
        task.rows = tuple([blocked_row(node, call) or self._memo.row(call.key) for call in found])
        return True

    # What can be had.

    def has(self, digest: bytes) -> bool:
        """Whether a value can be had without computing."""
        return digest in self._held or self._memo.has(digest)

    def have(self, outputs: Iterable[Digests]) -> bool:
        """Whether all values on some wires can be had without computing."""
        return all(self.has(digest) for digests in outputs for digest in digests)

    def keep_wanted(self, task: Task) -> bool:
        """Take hold of what a remembered node gave, if that is asked for. False when it is gone."""
        if task.node.id not in self.wanted:
            return True
        try:
            self._held.keep(task, {digest: self._work.value(digest) for wire in task.joined() for digest in wire})
        except Lost:
            return False
        return True

    def values_are_there(self, task: Task, missing: Sequence[int]) -> bool:
        """Whether every value that the calls need can be had; producers of those that are gone run again."""
        gone = {
            name
            for index in missing
            for name, digests in task.calls[index].inputs.items()
            for digest in digests
            if not self.has(digest)
        }
        for name in gone:
            self.again(task.node.links[name].node)
        referred = [id for digest, id in task.referred.items() if not self.has(digest)]
        for id in referred:
            self.again(id)
        return not gone and not referred

    def refer(self, task: Task, lost: Iterable[bytes]) -> None:
        """Need the values that a call found gone. Those on its links are looked for anyway; others are referred to.

        Raises:
            StoreError: nothing makes one, or it was made again and not kept.
        """
        linked = {digest for call in task.calls for digests in call.inputs.values() for digest in digests}
        for digest in lost:
            if digest in linked:
                continue
            producer = None if digest in task.referred else self._producer(task, digest)
            if producer is None:
                raise StoreError(
                    "A value that a model refers to is gone, and can't be kept when it is made again.",
                    node=task.node.id,
                    class_type=task.node.spec.type,
                    got="a store that is full, or too small for it",
                    expected="room for it in memory or on disk",
                    hint="Give results more room, or save the value as a file and load that.",
                )
            if producer not in task.sources:
                self.use(self[producer], task)
            task.refer(digest, producer)

    def _producer(self, task: Task, digest: bytes) -> str | None:
        """Return the nearest node above a task that gave a value."""
        seen, todo = {task.node.id}, deque(task.sources)
        while todo:
            id = todo.popleft()
            if any(digest in wire for wire in self[id].outputs or ()):
                return id
            todo += [source for source in self[id].sources if source not in seen]
            seen.update(self[id].sources)
        return None

    def again(self, id: str) -> None:
        """Make a node's values again. For one that expanded, the nodes make them that stand for it."""
        stack = [id]
        while stack:
            task = self[stack.pop()]
            if not task.done:
                continue
            task.done = False
            if task.linked:
                for above in task.sources:
                    self[above].pending += 1
            else:
                self._link(task)
            inner = [link.node for link in task.stand_ins() if not self.have(self[link.node].outputs or ())]
            stack += inner
            if not inner and len(task.expansions) < len(task.calls):
                task.expansions = {}
                task.forced, task.why = True, GONE
            self.todo.append(task)
