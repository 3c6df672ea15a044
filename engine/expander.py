"""Nodes that expanded, in one run: their graphs join it, and their outputs are gathered from the nodes inside."""

from engine.errors import LoomisError
from engine.expansion import grow
from engine.failures import located
from engine.folders import Folders
from engine.node import Registry
from engine.plan import trace
from engine.task import Task
from engine.tasks import Tasks
from engine.work import Work


class Expander:
    """Puts expansions into the tasks of one run."""

    def __init__(self, tasks: Tasks, work: Work, registry: Registry, folders: Folders) -> None:
        self._tasks = tasks
        self._work = work
        self._registry = registry
        self._folders = folders

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
            tasks.join(raw, bound)
            for id in [id for id, node in bound.items() if node.spec.output_node]:
                tasks.demand(id)
                task.shows = True
            for link in grown.links:
                tasks.use(tasks.demand(link.node), task)
        tasks.todo.append(task)

    def gather(self, task: Task) -> bool:
        """Remember what an expanded node gave. False while the nodes that stand for it are not done.

        It is not remembered as a whole where output nodes are inside: they have to be seen in every run.
        """
        tasks, memo, spec = self._tasks, self._work.memo, task.node.spec
        inner = [tasks.by_id[link.node] for link in task.stand_ins()]
        if not all(each.done for each in inner):
            return False
        task.shows = task.shows or any(each.shows for each in inner)
        keep = not task.shows and not (task.static and task.static.unique)
        rows = task.rows = list(task.rows)
        for index, expansion in task.expansions.items():
            outcome = expansion.outcome(spec, tasks.by_id)
            went_in = trace(task.node, task.calls[index].inputs)
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
