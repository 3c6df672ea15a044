"""Run workflows from Python. See ``Engine``."""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.context import Environment, Usage
from engine.errors import Fault, ValidationError
from engine.events import Event
from engine.flights import Flights
from engine.folders import Folders
from engine.formats import Catalogue, Diagnostic, Loaded, load
from engine.formats.read import Source
from engine.garbage import collected_later, give_back
from engine.graph import read_graph
from engine.imports import time_imports
from engine.lanes import Lanes
from engine.memo import Memo
from engine.node import Registry
from engine.object_info import SpecClasses
from engine.outputs import check_writable
from engine.parameters import Parameter, find_node, list_declared, list_parameters, resolved_parameters, set_parameters
from engine.plan import Plan, Planner
from engine.provenance import Provenance
from engine.run import Run, Shared
from engine.settings import Settings
from engine.store import Store
from engine.validate import BoundGraph, validate

Workflow = Source | Loaded
"""A file, its bytes, its JSON, or what ``Engine.load`` returned."""


@dataclass(frozen=True, slots=True)
class Output:
    """What an output node has to show. A file is ``{filename, subfolder, type, kind, path}``."""

    files: tuple[Mapping[str, Any], ...]
    notes: Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run: per output node its files and texts, and the values that were asked for.

    ``values[node][slot]`` is the list of values on that output, usually of one. ``faults`` tells what ``partial`` left
    out, ``diagnostics`` what was noticed while the file was read.
    """

    job: str
    outputs: Mapping[str, Output]
    values: Mapping[str, tuple[list[Any], ...]]
    seconds: float
    faults: tuple[Fault, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Engine:
    """Runs workflows over one registry of nodes, one set of folders and one store.

    ``data`` is the folder whose ``store`` remembers results; without it they are remembered until ``close``.
    ``run`` may be called from several threads at once. Engines may share ``lanes``, so that there is one thread per
    device and one pool for the processor between them; whoever made them closes them.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        folders: Folders | None = None,
        settings: Settings | None = None,
        data: Path | None = None,
        memory_bytes: int = 2 * 2**30,
        disk_bytes: int = 20 * 2**30,
        lanes: Lanes | None = None,
    ) -> None:
        time_imports()
        self.registry = registry
        self.folders = folders or Folders()
        self.settings = settings or Settings()
        self.store = Store(data / "store" if data else None, memory_bytes=memory_bytes, disk_bytes=disk_bytes)
        self.memo = Memo(self.store, self.folders)
        self._catalogue = Catalogue(SpecClasses(registry.specs))
        self._environment = environment = Environment(self.settings, self.folders, self.memo)
        self._runs = threading.Condition()
        self._cancels: list[threading.Event] = []
        self._owns_lanes = lanes is None
        self._shared = Shared(registry, environment, self.memo, lanes or Lanes(), Flights())

    def load(self, workflow: Workflow, *, seed: int = 0, now: datetime | None = None) -> Loaded:
        """Read a workflow: API format or saved by the editor, as JSON or in a picture or video that carries it.

        ``seed`` decides random choices (``{red|blue}``) in what the editor saved, ``now`` dates in file names.

        Raises:
            FileError: the file can't be opened.
            WorkflowError: it holds no workflow. What is odd about one is in ``diagnostics``.
        """
        return workflow if isinstance(workflow, Loaded) else load(workflow, self._catalogue, seed=seed, now=now)

    def parameters(self, workflow: Workflow) -> list[Parameter]:
        """Return the parameters that a workflow declares; where it declares none, every input that can be set.

        ``engine.parameter_schema.parameter_schema`` makes a JSON Schema of them.

        Raises:
            FileError, WorkflowError: it can't be read, or a declared parameter names no input.
        """
        loaded = self.load(workflow)
        graph = read_graph(loaded.prompt)
        if loaded.declarations:
            return list_declared(graph, loaded.declarations, self.registry)
        return list_parameters(graph, self.registry)

    def check(
        self,
        workflow: Workflow,
        parameters: Mapping[str, Any] | None = None,
        *,
        targets: Collection[str] | None = None,
        values: Collection[str] = (),
        partial: bool = False,
    ) -> BoundGraph:
        """Read a workflow and check it. ``targets`` are ids, titles or types.

        ``values`` names nodes that are wanted besides.

        Raises:
            FileError, WorkflowError: it can't be read.
            ValidationError: it is not valid; ``faults`` lists everything that is wrong.
        """
        loaded = self.load(workflow)
        broken = loaded.faults
        graph = read_graph(loaded.prompt)
        if parameters or loaded.declarations:
            given = parameters or {}
            graph = read_graph(set_parameters(graph, given, self.registry, loaded.declarations, loaded.prefixes))
        wanted = None if targets is None else [find_node(graph, target) for target in targets]
        also = [find_node(graph, name) for name in values]
        try:
            bound = validate(graph, self.registry, self.folders, targets=wanted, also=also, partial=partial)
        except ValidationError as error:
            raise ValidationError([*broken, *error.faults]) from None
        if broken and not partial:
            raise ValidationError(broken)
        return replace(bound, faults=(*broken, *bound.faults)) if broken else bound

    def plan(
        self,
        workflow: Workflow,
        parameters: Mapping[str, Any] | None = None,
        *,
        targets: Collection[str] | None = None,
        partial: bool = False,
    ) -> Plan:
        """Return what ``run`` would do. Raises what ``check`` raises."""
        bound = self.check(workflow, parameters, targets=targets, partial=partial)
        self.memo.refresh()
        return Planner(bound, self.memo, self.settings.profile, self.memo.fingerprint).plan()

    @collected_later
    def run(
        self,
        workflow: Workflow,
        parameters: Mapping[str, Any] | None = None,
        *,
        targets: Collection[str] | None = None,
        partial: bool = False,
        values: Collection[str] = (),
        keep: Collection[str] = (),
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
        pause: threading.Event | None = None,
        job: str | None = None,
        extra: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        output: Path | None = None,
    ) -> Result:
        """Run a workflow and return its outputs.

        ``parameters`` replaces inputs (``{"KSampler.seed": 7}``) and sets what the file declares (``{"seed": 7}``);
        ``targets`` runs only what these nodes need; ``partial`` leaves out what is not valid; ``values`` names nodes
        whose outputs are wanted as values, ``keep`` those whose outputs are to be in the store afterwards, however
        cheap they are. ``on_event`` gets every event as it happens, from any thread. Setting ``cancel`` stops the
        run, setting ``pause`` stops it when the nodes that run are done. ``extra`` goes into the files beside the
        prompt, as does the document that the editor saved (``{"workflow": ...}``); ``notes`` go into their
        provenance; ``output`` is where they are written instead of the output folder.

        Raises:
            LoomisError: what ``check`` raises, or what went wrong in a node; Cancelled when it was stopped, Paused when
                that was between two nodes.
        """
        began = time.perf_counter()
        loaded = self.load(workflow)
        bound = self.check(loaded, parameters, targets=targets, values=(*values, *keep), partial=partial)
        wanted = {name: id for name in (*values, *keep) if (id := find_node(bound.graph, name)) in bound.targets}
        if any(bound.nodes[id].spec.output_node for id in bound.targets):
            check_writable(output or self.folders.output)
        self.memo.refresh()
        self.store.begin_run()
        cancel = cancel or threading.Event()
        beside = ({} if loaded.saved is None else {"workflow": loaded.saved}) | dict(extra or {})
        run = Run(
            self._shared,
            bound,
            job or uuid.uuid4().hex,
            wanted=wanted.values(),
            on_event=on_event or (lambda event: None),
            cancel=cancel,
            pause=pause or threading.Event(),
            extra=beside,
            provenance=self._provenance(loaded, bound, parameters or {}, notes or {}, "workflow" in beside),
            remarks=loaded.warnings,
            output=output,
        )
        self._execute(run, cancel)
        for name in wanted.keys() & keep:
            run.keep(wanted[name])
        found = {name: run.values(wanted[name]) for name in values if name in wanted}
        return Result(run.job, _shown(run), found, time.perf_counter() - began, bound.faults, loaded.diagnostics)

    def _provenance(
        self,
        loaded: Loaded,
        bound: BoundGraph,
        parameters: Mapping[str, Any],
        notes: Mapping[str, Any],
        is_saved: bool,
    ) -> Provenance:
        return Provenance(
            bound.nodes,
            self.folders,
            self.store.files,
            self.settings,
            declared=loaded.loomis.get("parameters", {}) if loaded.declarations else {},
            parameters=resolved_parameters(bound.graph, parameters, self.registry, loaded.declarations),
            remarks=loaded.diagnostics,
            notes=notes,
            source=None if is_saved or loaded.source == bound.graph.prompt else loaded.source,
        )

    def _execute(self, run: Run, cancel: threading.Event) -> None:
        """Execute a run that ``close`` can cancel and waits for."""
        with self._runs:
            self._cancels.append(cancel)
        try:
            run.execute()
        finally:
            with self._runs:
                self._cancels.remove(cancel)
                self._runs.notify_all()

    def free(self, *, models: bool = False, values: bool = False) -> None:
        """Let go of memory: of ``models``, which are loaded again, and of remembered ``values``, which stay on disk.

        Meant for between two runs; one that goes on keeps what it has in hand.
        """
        for holder in self._environment.holders() if models else ():
            holder.drop()
        if values:
            self.store.forget_memory()
        give_back()

    def usage(self) -> Usage:
        """Return what models take of their device. Nothing is known of it before the first is used."""
        found = [holder.usage() for holder in self._environment.holders()]
        return Usage(*(sum(getattr(each, name) for each in found) for name in Usage.__slots__))

    def close(self) -> None:
        """Cancel what runs, write what waits to be remembered and end the threads."""
        with self._runs:
            for cancel in self._cancels:
                cancel.set()
            self._runs.wait_for(lambda: not self._cancels)
        if self._owns_lanes:
            self._shared.lanes.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shown(run: Run) -> dict[str, Output]:
    return {
        id: Output(tuple(file for each in placed for file in each.files), run.told.notes[id])
        for id, placed in run.told.placed.items()
    }
