"""The inside of a worker: takes orders, runs jobs one after the other, says what happens. The same in every carrier."""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from engine import Engine, events
from engine.context import Usage
from engine.errors import Cancelled, LoomisError, Paused
from server.jobs.records import EventKind
from server.refresh import refresh_packs
from server.report import error_data, raised_data
from server.workers import contract
from server.workers.asked import answer
from server.workers.contract import Ended, Order, Progressed, Report, Told
from server.workers.outbox import Outbox

MOST_ASKED = {"request": 16, "prompt": 1}
"""Questions of a kind that are answered at the same time. Requests to routes of packs may wait for long, and hold up no
other; each prompt is seen by packs after the one before it."""

MOST_OTHERS = 4
"""Questions of other kinds, about nodes of packs."""

PREVIEW_SECONDS = 0.2
"""A node's preview is made this often at most."""

LONG_SECONDS = 1.0
"""After a node that took longer it is told what models take, else at the end of the job."""

ENCODE = json.JSONEncoder(default=str, allow_nan=False).encode

KINDS: Mapping[type[events.Event], EventKind] = {
    events.Planned: "planned",
    events.NodeStarted: "node_started",
    events.NodeFinished: "node_finished",
    events.Remembered: "remembered",
    events.Saved: "saved",
    events.Warned: "warned",
}


class Worker:
    """Runs jobs on an engine. ``send`` takes what it reports, in groups, from a thread of its own."""

    _engine: Engine

    def __init__(self, send: Callable[[Sequence[Report]], None]) -> None:
        self._outbox = Outbox(send)
        self._jobs: deque[contract.Run] = deque()
        self._condition = threading.Condition()
        self._running: str | None = None
        self._cancel = threading.Event()
        self._pause = threading.Event()
        self._began = threading.Event()
        self._closing = False
        self._freeing = contract.Free(False, False)
        self._uses = Usage()
        self._looked_at = False
        self._previewed: dict[str, float] = {}
        self._others = ThreadPoolExecutor(MOST_OTHERS, thread_name_prefix="loomis-asked")
        self._asked = {
            what: ThreadPoolExecutor(most, thread_name_prefix=f"loomis-{what}") for what, most in MOST_ASKED.items()
        }

    def take(self, orders: Sequence[Order]) -> None:
        """Take orders; from any thread."""
        with self._condition:
            for order in orders:
                self._take(order)
            self._condition.notify()

    def _take(self, order: Order) -> None:
        match order:
            case contract.Run():
                self._jobs.append(order)
            case contract.Stop(job=job) if job == self._running:
                self._cancel.set()
            case contract.Stop(job=job):
                self._drop(job)
            case contract.GiveBack():
                self._return_all()
            case contract.Park():
                self._return_all()
                self._pause.set()
            case contract.Look(previews=previews):
                self._looked_at = previews
            case contract.Free(models=models, values=values):
                self._freeing = contract.Free(self._freeing.models or models, self._freeing.values or values)
            case contract.Ping():
                self._outbox.add(contract.Pong())
            case contract.Ask():
                self._asked.get(order.what, self._others).submit(self._answer, order)
            case contract.Close():
                self._closing = True
                self._cancel.set()

    def _drop(self, job: str) -> None:
        """Cancel a job that was not begun."""
        kept = deque(order for order in self._jobs if order.job != job)
        if len(kept) < len(self._jobs):
            self._jobs = kept
            self._outbox.add(Ended(job, time.time(), "cancelled", ""))

    def _return_all(self) -> None:
        self._outbox.add(contract.Returned(tuple(order.job for order in self._jobs)))
        self._jobs.clear()

    def run(self, engine: Engine) -> None:
        """Run jobs until `Close`."""
        self._engine = engine
        self._outbox.add(contract.Ready(os.getpid()))
        self._began.set()
        while order := self._next():
            self._run(order)
        self._outbox.close()

    def say_prepared(self) -> None:
        """Report that what takes long to import is there, after the worker is ready. From any thread."""
        self._began.wait()
        self._outbox.add(contract.Prepared())

    def send(self, event: str, data: Mapping[str, Any], client: str | None) -> None:
        """Report an event of a node pack. From any thread."""
        self._outbox.add(contract.Sent(event, json_text(data), client or ""))

    def _answer(self, order: contract.Ask) -> None:
        """Ask the code of node packs."""
        self._began.wait()
        try:
            answered = contract.Answered(order.id, answer(self._engine, order.what, order.body), "")
        except Exception as error:  # code of packs may raise anything; who asked is told
            answered = contract.Answered(order.id, b"", f"{type(error).__name__}: {error}")
        self._outbox.add(answered)

    def _next(self) -> contract.Run | None:
        while True:
            with self._condition:
                self._running = None
                self._condition.wait_for(lambda: self._jobs or self._closing or self._asked_to_free)
                if self._closing:
                    return None
                if not self._asked_to_free:
                    order = self._jobs.popleft()
                    self._running = order.job
                    self._cancel.clear()
                    return order
                free, self._freeing = self._freeing, contract.Free(False, False)
            self._engine.free(models=free.models, values=free.values)
            self._tell_usage()

    @property
    def _asked_to_free(self) -> bool:
        return self._freeing.models or self._freeing.values

    def _run(self, order: contract.Run) -> None:
        self._outbox.add(contract.Began(order.job, time.time()))
        outcome, error = self._outcome(order)
        self._outbox.add(Ended(order.job, time.time(), outcome, json_text(error) if error else ""))
        self._tell_usage()

    def _tell_usage(self) -> None:
        if (uses := self._engine.usage()) != self._uses:
            self._uses = uses
            self._outbox.add(contract.Uses(uses.total, uses.free, uses.reserved, uses.used))

    def _outcome(self, order: contract.Run) -> tuple[contract.Outcome, Mapping[str, Any] | None]:
        """Run a job; say how it ended and, where it failed, why."""
        asked = json.loads(order.body)
        try:
            refresh_packs()
            loaded, part = self._engine.load(asked["workflow"]), asked.get("part")
            self._engine.run(
                replace(loaded, source=part["source"]) if part else loaded,
                asked["parameters"],
                targets=asked["targets"],
                partial=asked["partial"],
                keep=asked["keep"],
                on_event=lambda event: self._tell(order.job, event),
                cancel=self._cancel,
                pause=self._pause,
                job=order.job,
                extra=asked["extra"],
                notes=part["notes"] if part else None,
                output=self._engine.folders.output / part["folder"] if part else None,
            )
        except Paused:
            return "parked", None
        except Cancelled:
            return "cancelled", None
        except LoomisError as error:
            return "failed", error_data(error) | raised_data(error)
        except Exception as error:  # a mistake of ours costs one job, not the worker
            return "failed", error_data(LoomisError(f"Loomis made a mistake: {type(error).__name__}: {error}"))
        return "succeeded", None

    def _tell(self, job: str, event: events.Event) -> None:
        """Report what a run tells. Its beginning and end are told by this worker."""
        if isinstance(event, events.Progress):
            self._outbox.add(Progressed(job, event.node, event.value, event.maximum, event.note))
            if event.preview and self._looked_at:
                self._preview(job, event.node, event.preview)
        elif kind := KINDS.get(type(event)):
            data = {name: getattr(event, name) for name in event.__slots__ if name not in ("seq", "job", "node")}
            self._outbox.add(Told(job, getattr(event, "node", None), time.time(), kind, json_text(data)))
        if isinstance(event, events.NodeFinished) and event.seconds > LONG_SECONDS:
            self._tell_usage()

    def _preview(self, job: str, node: str, make: Callable[[], bytes]) -> None:
        now = time.monotonic()
        if now - self._previewed.get(node, 0.0) > PREVIEW_SECONDS:
            self._previewed = {node: now}
            self._outbox.add(contract.Previewed(job, node, make()))


def json_text(value: Any) -> str:
    """Return a value as JSON. Numbers that JSON has no name for become texts, as does whatever else it can't say."""
    try:
        return ENCODE(value)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value, default=str), parse_constant=str))
