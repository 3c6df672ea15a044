"""The story of a job in ComfyUI's messages: a pure translation of facts, progress and previews."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.comfy.items import milliseconds
from server.jobs.records import JobEvent, Progress

SENDING = frozenset({"SaveImageWebsocket"})
"""The node types whose pictures are sent to the client themselves."""

KINDS = {"failed": "execution_error", "succeeded": "execution_success", "cancelled": "execution_interrupted"}


@dataclass(frozen=True, slots=True)
class Said:
    """A message ``{"type": kind, "data": data}``."""

    kind: str
    data: Mapping[str, Any]

    def frame(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"type": self.kind, "data": self.data}


class Story:
    """Follows one job, which runs for ``targets``. ``node`` is the node that runs now, as the workflow names it."""

    def __init__(self, job: str, targets: Collection[str] = ()) -> None:
        self.job = job
        self._targets = targets
        self._begin(False)

    def _begin(self, began: bool) -> None:
        """Know nothing yet; a job that its worker died of begins anew."""
        self.node: str | None = None
        self._told: str | None = None
        self._began = began
        self._ids: frozenset[str] = frozenset()
        self._types: dict[str, str] = {}
        self._senders: set[str] = set()
        self._states: dict[str, dict[str, Any]] = {}
        self._done: list[str] = []
        self._showing: set[str] = set()

    def tell(self, event: JobEvent) -> list[Said]:
        """Return the messages that a fact becomes. The end of a job is followed by what its caller adds."""
        match event.kind:
            case "began":
                self._begin(True)
                return [self._said("execution_start", timestamp=milliseconds(event.time))]
            case "planned":
                return self._planned(event)
            case "node_started" if event.node:
                return self._started(event.node, event.data["class_type"])
            case "node_finished" if event.node:
                return self._finished(event.node)
            case "remembered" if event.node:
                self._know(event.node, event.data["class_type"])
                self._done.append(event.node)
            case "warned" if event.node and event.data.get("blocks"):
                return [self._blocked(event.node, event.data["message"])]
            case "saved" if event.node:
                return self._saved(event.node, ui(event.data))
            case "succeeded" | "failed" | "cancelled" if self._began:
                return self._ended(event)
        return []

    def progress(self, progress: Progress) -> Said:
        """Return the message for how far a node is."""
        shown = self.shown(progress.node)
        self._set(progress.node, progress.value, progress.maximum, "running")
        return self._said("progress", value=progress.value, max=progress.maximum, node=shown)

    def picture(self, node: str) -> dict[str, Any]:
        """Return what goes beside a picture of a node."""
        return {"prompt_id": self.job} | self._names(node)

    def turn_to(self, node: str) -> list[Said]:
        """Return what makes a client take the next pictures for those of a node; nothing where it does so anyway."""
        shown = self.shown(node)
        if shown == self._told:
            return []
        self._told = shown
        return [self._said("executing", node=shown, display_node=shown)]

    def sends(self, node: str) -> bool:
        """Tell whether the pictures of a node are sent to the client themselves."""
        return self._types.get(node) in SENDING

    @property
    def awaits_pictures(self) -> bool:
        """Whether a client takes the next picture for one of a node that sends its own."""
        return self._told in self._senders

    def state(self) -> Said:
        """Return how far each node is that began."""
        return self._said("progress_state", nodes=dict(self._states))

    @property
    def size(self) -> int:
        """How many nodes `state` tells of."""
        return len(self._states)

    @property
    def count(self) -> tuple[int, int]:
        """How many nodes of the plan are done, and how many it has."""
        return len(self._ids.intersection(self._done)), len(self._ids)

    @property
    def type(self) -> str | None:
        """The type of the node that runs now."""
        return self._types.get(self.node or "")

    def shown(self, node: str) -> str:
        """Return the node of the workflow that a node stands for: a node that grew from ``5`` is ``5.0.1`` or so."""
        name = node
        while name and name not in self._ids:
            name = name.rpartition(".")[0]
        return name or node

    def _planned(self, event: JobEvent) -> list[Said]:
        data = event.data
        self._ids = frozenset([*data["remembered"], *data["runs"], *data["depends"]])
        timestamp = milliseconds(event.time)
        return [self._said("execution_cached", nodes=list(data["remembered"]), timestamp=timestamp)]

    def _started(self, node: str, class_type: str) -> list[Said]:
        self.node = self._told = shown = self.shown(node)
        self._know(node, class_type)
        self._set(node, 0, 1, "running")
        return [self.state(), self._said("executing", node=shown, display_node=shown)]

    def _know(self, node: str, class_type: str) -> None:
        self._types[node] = class_type
        if self.sends(node):
            self._senders.add(self.shown(node))

    def _finished(self, node: str) -> list[Said]:
        self._done.append(node)
        if node in self._states:
            steps = self._states[node]["max"]
            self._set(node, steps, steps, "finished")
        running = [each for each, state in self._states.items() if state["state"] == "running"]
        self.node = self.shown(running[-1]) if running else None
        if node in self._targets:  # what it shows is told first, and follows
            self._showing.add(node)
            return []
        return [self.state()]

    def _saved(self, node: str, output: Mapping[str, Any]) -> list[Said]:
        shown = self.shown(node)
        told = [self._said("executed", node=shown, display_node=shown, output=output)] if output else []
        if node in self._showing:
            self._showing.remove(node)
            told.append(self.state())
        return told

    def _blocked(self, node: str, message: str) -> Said:
        """Return that a node stops those that depend on it. The job goes on."""
        about = {"node_id": self.shown(node), "node_type": self._types.get(node, ""), "executed": self._executed()}
        why = {"exception_message": message, "exception_type": "ExecutionBlocked", "traceback": []}
        return self._said("execution_error", **about, **why, current_inputs=[], current_outputs=[])

    def _executed(self) -> list[str]:
        return list(dict.fromkeys(map(self.shown, self._done)))

    def _ended(self, event: JobEvent) -> list[Said]:
        kind = KINDS[event.kind]
        timestamp = milliseconds(event.time)
        if event.kind == "succeeded":
            owed = [self.state()] if self._showing else []
            return [*owed, self._said(kind, timestamp=timestamp)]
        executed = self._executed()
        error = event.data.get("error", {})
        node = self.shown(error["node"]) if error.get("node") else self.node or ""
        about = {"node_id": node, "node_type": error.get("class_type") or self._types.get(node, "")}
        if event.kind == "failed":
            return [Said(kind, failure(self.job, error, executed) | about | {"timestamp": timestamp})]
        return [self._said(kind, **about, executed=executed, timestamp=timestamp)]

    def _set(self, node: str, value: int, maximum: int, state: str) -> None:
        names = self._names(node)
        self._states[node] = {"value": value, "max": maximum, "state": state, "prompt_id": self.job} | names

    def _names(self, node: str) -> dict[str, Any]:
        shown = self.shown(node)
        return {
            "node_id": node,
            "display_node_id": shown,
            "parent_node_id": shown if shown != node else None,
            "real_node_id": shown,
        }

    def _said(self, kind: str, **data: Any) -> Said:
        return Said(kind, {"prompt_id": self.job} | data)


def failure(job: str, error: Mapping[str, Any], executed: list[str]) -> dict[str, Any]:
    """Return why a job failed; ``executed`` are the nodes that were done."""
    hint = error.get("hint")
    raised = error.get("raised", {"traceback": [], "inputs": {}})
    return {
        "prompt_id": job,
        "node_id": error.get("node", ""),
        "node_type": error.get("class_type", ""),
        "executed": executed,
        "exception_message": error.get("message", "") + (f"\n{hint}" if hint else ""),
        "exception_type": error.get("got" if error.get("code") == "node_failure" else "code", "error"),
        "traceback": raised["traceback"],
        "current_inputs": raised["inputs"],
        "current_outputs": executed,
    }


def ui(shown: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the files and notes of an output node, by name: ``{"images": [{filename, subfolder, type}]}``."""
    found: dict[str, list[Any]] = {}
    for file in shown["files"]:
        place = {name: file[name] for name in ("filename", "subfolder", "type")}
        found.setdefault(file["kind"], []).append(place)
    for name, items in shown["notes"].items():
        found.setdefault(name, []).extend(items)
    return found


def story(job: str, events: Iterable[JobEvent]) -> list[Said]:
    """Return all that was said of a job, in order."""
    teller = Story(job)
    return [said for event in events for said in teller.tell(event)]
