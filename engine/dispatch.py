"""Hand the tasks of one run to the lanes, and take what comes back."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from engine import events
from engine.lanes import Lanes
from engine.memo import Memo
from engine.task import Task
from engine.work import Completion, Work

BRIEF_SECONDS = 0.001
"""A node that is expected to take less is called by the loop itself: handing it to a thread would take longer."""


class Dispatch:
    """Tasks that are ready, those that run, and an inbox for what other threads have to say.

    ``done`` gets each task with what came of it, in the thread of the loop.
    """

    def __init__(self, lanes: Lanes, memo: Memo, work: Work, done: Callable[[Task, Completion], None]) -> None:
        self.running = 0
        self._lanes = lanes
        self._memo = memo
        self._work = work
        self._done = done
        self._ready: deque[tuple[Task, Sequence[int]]] = deque()
        self._brief: deque[tuple[Task, Sequence[int]]] = deque()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._futures: dict[Task, Future[None]] = {}

    @property
    def ready(self) -> bool:
        """Whether a task waits to be started."""
        return bool(self._ready or self._brief)

    def add(self, task: Task, missing: Sequence[int]) -> None:
        """Queue the calls of a task that must be made."""
        task.busy = True
        (self._brief if self._is_brief(task) else self._ready).append((task, missing))

    def _is_brief(self, task: Task) -> bool:
        seconds = self._memo.seconds(task.node.spec.type)
        return task.node.spec.resource == "cpu" and seconds is not None and seconds[1] < BRIEF_SECONDS

    def start_next(self, *, alone: bool) -> bool:
        """Start one task: those for the lanes first. Return whether it was called here, and is done.

        ``alone`` says that nothing else waits that could overlap with it.
        """
        brief = not self._ready
        task, missing = (self._brief if brief else self._ready).popleft()
        spec = task.node.spec
        self._work.emit(events.NodeStarted, node=task.node.id, class_type=spec.type, why=task.why)
        if spec.is_async:
            self._start_async(task, missing)
        elif brief or (alone and spec.resource == "cpu" and not (self.running or self.ready)):
            self._do_here(task, missing)
            return True
        else:
            device = self._work.environment.settings.device
            self._lanes.submit(spec.resource, device, partial(self._do, task, missing))
            self.running += 1
        return False

    def _do_here(self, task: Task, missing: Sequence[int]) -> None:
        self.running += 1
        try:
            completion = self._work.do(task, missing)
        except KeyboardInterrupt:
            self._take(task, self._work.cancelled(task))
            raise
        self._take(task, completion)

    def _do(self, task: Task, missing: Sequence[int]) -> None:
        self.post(partial(self._take, task, self._work.do(task, missing)))

    def _start_async(self, task: Task, missing: Sequence[int]) -> None:
        async def do() -> None:
            self.post(partial(self._take_async, task, await self._work.do_async(task, missing)))

        def ended(future: "Future[None]") -> None:
            if future.cancelled():
                self.post(partial(self._take_async, task, self._work.cancelled(task)))

        future = self._futures[task] = self._lanes.start(do())
        self.running += 1
        future.add_done_callback(ended)

    def _take_async(self, task: Task, completion: Completion) -> None:
        """Take the first completion of a coroutine: one that is cancelled at its end sends two."""
        if self._futures.pop(task, None):
            self._take(task, completion)

    def _take(self, task: Task, completion: Completion) -> None:
        """Back in the loop: take what a lane made."""
        self.running -= 1
        task.busy = False
        self._done(task, completion)

    def post(self, message: Callable[[], None]) -> None:
        """Have a function called in the loop's thread. From any thread."""
        self._inbox.put(message)

    def hear(self, timeout: float = 0.0) -> None:
        """Handle what the lanes have said; wait up to ``timeout`` seconds for the first of it."""
        if timeout:
            with suppress(Empty):
                self._inbox.get(timeout=timeout)()
        while not self._inbox.empty():
            self._inbox.get()()

    def stop(self) -> None:
        """Let nodes that run end at their next step."""
        self._work.stop.set()
        for future in list(self._futures.values()):
            future.cancel()

    def drop(self) -> list[Task]:
        """Return the tasks that were not started, and forget them."""
        left = [task for task, _ in (*self._ready, *self._brief)]
        self._ready.clear()
        self._brief.clear()
        return left

    def wait(self) -> None:
        """Handle what comes back until nothing runs. May raise what ``done`` raises, with more to come."""
        while self.running:
            self._inbox.get()()
