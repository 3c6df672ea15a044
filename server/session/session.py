"""One editor's graph: edits come in, the state of every node that changed goes out.

::

    session = Session("a", engine, engine.load(workflow))
    session.states                       # node id -> NodeState
    change = session.edit([Set(...)])    # all of the edits or none
    change.states                        # those that are other than before
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine import Engine
from engine.errors import WorkflowError
from engine.formats import Loaded
from engine.graph import Graph, is_link, read_graph
from engine.parameters import find_node
from engine.plan import Plan
from engine.states import NodeState, node_states
from server.protocol.edits import Edit
from server.session.edit import edited
from server.session.errors import Conflict, NotRemembered
from server.session.history import History, Prompt, Version

MOST_NODES = 5_000


@dataclass(frozen=True, slots=True)
class Change:
    """What is other than before: states of nodes, nodes as they are written (``graph``), ids of nodes that are gone.

    ``added`` are ids that edits got.
    """

    revision: int
    states: Mapping[str, NodeState]
    removed: tuple[str, ...] = ()
    graph: Prompt = field(default_factory=dict)
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A graph that is ready to take the place of the one before."""

    version: Version
    states: dict[str, NodeState]
    history: History
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aim:
    """What a run is for: the nodes that are wanted, and of everything that they need type and inputs, as written."""

    targets: tuple[str, ...]
    needs: Mapping[str, tuple[str, Mapping[str, Any]]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a node in a run, and what the node was then."""

    aim: Aim
    error: Mapping[str, Any]


class Session:
    """A graph in the API format, and what the memo knows of it. ``revision`` goes up by one with every change of it.

    ``errors`` are those of nodes that failed in a run and would run again as they were then.
    """

    def __init__(self, id: str, engine: Engine, begin: Loaded | Version | None = None, revision: int = 1) -> None:
        self.id = id
        self.revision = revision
        self.version = _version(begin)
        self.history = History()
        self.errors: dict[str, Mapping[str, Any]] = {}
        self._failures: dict[str, Failure] = {}
        self._engine = engine
        self.states = self._look(self.prompt)

    @property
    def prompt(self) -> Prompt:
        """The graph."""
        return self.version.prompt

    def edit(self, edits: Iterable[Edit], base: int | None = None, step: str | None = None) -> Change:
        """Do a batch of edits. Raises what ``draft`` raises; nothing was changed then."""
        return self.take(self.draft(edits, base, step))

    def draft(self, edits: Iterable[Edit], base: int | None = None, step: str | None = None) -> Draft:
        """Return what a batch of edits would lead to. ``base`` is the revision that they were made for, if it matters.

        Batches that follow each other with the same ``step`` are undone together.

        Raises:
            BadEdit, WorkflowError: one of them makes no sense.
            Conflict: the graph has another revision by now.
        """
        if base is not None and base != self.revision:
            raise Conflict(
                f"The graph is at revision {self.revision}.",
                got=base,
                expected=self.revision,
                hint="Take in what has changed and send the edit again.",
            )
        editing = edited(self.prompt, edits, self._engine)
        version = Version(editing.prompt, None, self.version.diagnostics)
        history = self.history.after(self.version, step)
        return Draft(version, self._look(version.prompt), history, tuple(editing.added))

    def loaded(self, loaded: Loaded | None) -> Draft:
        """Return another workflow in the place of the graph. Raises WorkflowError when it is too large."""
        version = _version(loaded)
        return Draft(version, self._look(version.prompt), self.history.after(self.version, None))

    def undo(self) -> Draft:
        """Return the graph before the last step. Raises NoStep."""
        version, history = self.history.undo(self.version)
        return Draft(version, self._look(version.prompt), history)

    def redo(self) -> Draft:
        """Return the graph after the step that was undone last. Raises NoStep."""
        version, history = self.history.redo(self.version)
        return Draft(version, self._look(version.prompt), history)

    def take(self, draft: Draft) -> Change:
        """Let a draft be the graph."""
        self.revision += 1
        before, self.version, self.history = self.prompt, draft.version, draft.history
        graph = {id: node for id, node in self.prompt.items() if before.get(id) != node}
        return replace(self.changed(draft.states), graph=graph, added=draft.added)

    def look(self) -> Change:
        """Look at the memo and the files again, as something was computed or put into a folder."""
        return self.changed(self.survey())

    def survey(self) -> dict[str, NodeState]:
        """Return the states of the graph as they are now."""
        self._engine.memo.refresh()
        return self._look(self.prompt)

    def _look(self, prompt: Prompt) -> dict[str, NodeState]:
        if len(prompt) > MOST_NODES:
            raise WorkflowError(
                "The graph is too large for a session.",
                got=f"{len(prompt)} nodes",
                expected=f"at most {MOST_NODES}",
                hint="Submit it as a job.",
            )
        engine = self._engine
        return node_states(self._graph(prompt), engine.registry, engine.folders, engine.memo, engine.settings.profile)

    def _graph(self, prompt: Prompt) -> Graph:
        return read_graph(prompt) if prompt else Graph({})

    def changed(self, states: dict[str, NodeState]) -> Change:
        """Let these be the states, and return those that are other than before."""
        before, self.states = self.states, states
        failed, self.errors = self.errors, dict(self._standing())
        other = {
            id: state
            for id, state in states.items()
            if before.get(id) != state or failed.get(id) != self.errors.get(id)
        }
        return Change(self.revision, other, tuple(before.keys() - states.keys()))

    def _standing(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the errors of nodes that would run, and are what they were when they failed."""
        for id, failure in self._failures.items():
            if id in self.states and self.states[id].state in ("runs", "depends") and self.aim((id,)) == failure.aim:
                yield id, failure.error

    def failed(self, node: str, run: Aim, error: Mapping[str, Any]) -> None:
        """Hear that a node failed in a run. ``look`` tells it."""
        here = {id: failure for id, failure in self._failures.items() if id in self.prompt}
        self._failures = here | {node: Failure(needed((node,), run.needs), error)}

    def went_well(self, node: str) -> None:
        """Hear that a node ran."""
        self._failures.pop(node, None)

    def outputs(self) -> dict[str, None]:
        """Return the ids of the nodes that save or show something, in the order of the graph."""
        specs = self._engine.registry.specs
        nodes = ((id, specs.get(node["class_type"])) for id, node in self.prompt.items())
        return {id: None for id, spec in nodes if spec and spec.output_node}

    def targets(self, names: Collection[str] | None, *, partial: bool = False) -> tuple[str, ...]:
        """Return the ids of the nodes that ``names`` (ids, titles, types) mean; without names, all output nodes.

        ``partial`` leaves out those that are invalid.

        Raises:
            WorkflowError: a name means no node, or several.
        """
        if names is not None:
            graph = self._graph(self.prompt)
            ids = dict.fromkeys(find_node(graph, name) for name in names)
        else:
            ids = self.outputs()
        return tuple(id for id in ids if not (partial and self.states[id].state == "invalid"))

    def aim(self, targets: tuple[str, ...]) -> Aim:
        """Return what a run to these nodes would compute. Two runs with equal aims give the same."""
        return needed(targets, {id: (node["class_type"], node["inputs"]) for id, node in self.prompt.items()})

    def plan(self, names: Collection[str] | None, *, partial: bool = False) -> Plan:
        """Return what a run would do. Raises what ``Engine.check`` raises."""
        return self._engine.plan(dict(self.prompt), targets=names, partial=partial)

    def digest(self, node: str, output: int | str, index: int = 0) -> tuple[bytes, int]:
        """Return the digest of a value on an output, and how many are there; ``index`` is its place on the wire.

        Raises:
            WorkflowError: there is no such node, output or place.
            NotRemembered: the node has not run as it stands.
        """
        id = find_node(self._graph(self.prompt), node)
        state = self.states[id]
        if state.state != "remembered":
            raise NotRemembered(
                f"Node {id} has no value yet.", node=id, got=state.state, expected="remembered", hint="Run to it first."
            )
        spec = self._engine.registry[self.prompt[id]["class_type"]]
        names = [slot.name for slot in spec.outputs]
        slot = names.index(output) if isinstance(output, str) and output in names else output
        wire = state.outputs[slot] if isinstance(slot, int) and slot < len(state.outputs) else ()
        if not index < len(wire):
            raise WorkflowError(
                f"Node {id} ({spec.type}) has no value {index} on output {output!r}.",
                node=id,
                class_type=spec.type,
                got=output,
                expected={name: len(digests) for name, digests in zip(names, state.outputs, strict=False)},
                hint="Name an output, and a value that is on it.",
            )
        return wire[index], len(wire)


def needed(targets: tuple[str, ...], nodes: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Aim:
    """Return the targets with what they need of some nodes, given as type and inputs."""
    needs: dict[str, tuple[str, Mapping[str, Any]]] = {}
    stack = list(targets)
    while stack:
        id = stack.pop()
        if id in needs or id not in nodes:
            continue
        needs[id] = nodes[id]
        stack += [value[0] for value in nodes[id][1].values() if is_link(value)]
    return Aim(targets, needs)


def _version(begin: Loaded | Version | None) -> Version:
    return Version({}) if begin is None else Version(begin.prompt, begin.saved, begin.diagnostics)
