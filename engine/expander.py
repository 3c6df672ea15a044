"""Nodes that expanded, in one run: their graphs join it, and their outputs are gathered from the nodes inside.

An expansion may hold a node that expands again: so loops are made. One that comes back to a call that is being expanded
would never end, and is refused; so is one that grows beyond ``DEEPEST`` or ``MOST_NODES``.
"""

from collections.abc import Collection, Sequence

from engine.cycles import cycle_error
from engine.errors import InputError, LoomisError
from engine.expansion import grow
from engine.failures import located
from engine.folders import Folders
from engine.node import Registry
from engine.plan import trace
from engine.task import Task
from engine.tasks import Tasks
from engine.work import Work

DEEPEST = 10_000
"""Expansions inside each other."""

MOST_NODES = 100_000
"""Nodes that all expansions of a run put into it."""


class Expander:
    """Puts expansions into the tasks of one run."""

    def __init__(self, tasks: Tasks, work: Work, registry: Registry, folders: Folders) -> None:
        self._tasks = tasks
        self._work = work
        self._registry = registry
        self._folders = folders
        self._owners: dict[str, Task] = {}
        self._depths: dict[str, int] = {}
        self._open: set[bytes] = set()

    def check_ends(self, task: Task, missing: Sequence[int]) -> None:
        """See that no call is one that a node is being expanded for, of which this node is a part.

        Raises:
            ValidationError: one is, so the expansion would never end. The error names the nodes as a cycle.
        """
        if not self._open:
            return
        keys = {task.calls[index].key for index in missing} & self._open
        made_by: dict[str, set[str]] = {}
        nodes = {task.node.id: task.node}
        inner = task
        while keys and (owner := self._owners.get(inner.node.id)):
            made_by[inner.node.id] = {owner.node.id}
            nodes[owner.node.id] = owner.node
            if any(expansion.key in keys for expansion in owner.expansions.values()):
                made_by[owner.node.id] = {task.node.id}
                raise cycle_error(made_by, nodes, "Let an input change from one to the next until it ends.")
            inner = owner

    def expand(self, task: Task) -> None:
        """Put the nodes of a task's expansions into the run.

        Raises:
            LoomisError: a graph is not valid, or its result does not fit the node's outputs.
        """
        tasks = self._tasks
        for index, expansion in task.expansions.items():
            try:
                grown, raw, bound = grow(expansion, task.node, tasks.raw, self._registry, self._folders)
            except LoomisError as error:
                raise located(error, task.node) from error
            task.expansions[index] = grown
            self._note(task, expansion.key, bound)
            tasks.join(raw, bound)
            for id in [id for id, node in bound.items() if node.spec.output_node]:
                tasks.demand(id)
                task.shows = True
            for link in grown.links:
                tasks.use(tasks.demand(link.node), task)
        tasks.todo.append(task)

    def _note(self, owner: Task, key: bytes, inner: Collection[str]) -> None:
        """Note whose expansion these nodes are.

        Raises:
            InputError: it is one too many.
        """
        depth = self._depths.get(owner.node.id, 0) + 1
        self._open.add(key)
        self._owners.update(dict.fromkeys(inner, owner))
        self._depths.update(dict.fromkeys(inner, depth))
        if depth > DEEPEST or len(self._owners) > MOST_NODES:
            wrong = InputError(
                "The expansion grows without end.",
                got=f"{len(self._owners)} nodes, {depth} inside each other",
                expected=f"at most {MOST_NODES} nodes, {DEEPEST} inside each other",
                hint="Let the node expand less often, or do more in one node.",
            )
            raise located(wrong, owner.node)

    def gather(self, task: Task) -> bool:
        """Remember what an expanded node gave. False while the nodes that stand for it are not done.

        It is not remembered as a whole where output nodes are inside: they have to be seen in every run.
        """
        tasks, memo, spec = self._tasks, self._work.memo, task.node.spec
        inner = [tasks[link.node] for link in task.stand_ins()]
        if not all(each.done for each in inner):
            return False
        task.shows = task.shows or any(each.shows for each in inner)
        keep = not task.shows and not (task.static and task.static.unique)
        rows = task.rows = list(task.rows)
        for index, expansion in task.expansions.items():
            outcome = expansion.outcome(spec, tasks)
            went_in = trace(task.node, task.calls[index].inputs)
            self._open.discard(expansion.key)
            rows[index] = memo.remember(spec, expansion.key, outcome, went_in, keep=keep)
            if task.pending or task.node.id in tasks.wanted:
                self._work.held.hold(task, outcome)
        task.outputs = task.joined()
        if not tasks.keep_wanted(task):
            for each in inner:
                if not tasks.have(each.outputs or ()):
                    tasks.again(each.node.id)
            tasks.todo.append(task)
            return False
        return True
