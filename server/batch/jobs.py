"""What each row of a batch runs: the workflow as read for that row, its parameters, and a key for the manifest."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from blake3 import blake3

from engine import Engine
from engine.errors import SettingError, ValidationError, WorkflowError
from engine.formats import Loaded
from engine.graph import Graph, read_graph
from engine.model_map import ModelMap
from engine.node import InputFile, Port
from engine.parameters import find_places, set_parameters
from engine.provenance import PICKS
from server.batch.axes import Axis, combine
from server.batch.controls import controlled
from server.batch.names import Names
from server.batch.pictures import Pictures, Uploaded
from server.batch.rows import Row

ALMOST_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:-|:|to|\.{3}|…)\s*(-?\d+(?:\.\d+)?)")
"""A range of numbers as others write it."""

PART_OF_RANGE = re.compile(r".*(?:\.\.|…).*|\s*-?\d+(?:\.\d+)?\s*[-:].*")
"""What is meant as a range and lacks something, or stands in a list."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row, ready to run. ``parameters`` are its values and the seeds that the file leaves to each run."""

    number: int
    stem: str
    row: Row
    loaded: Loaded
    parameters: Mapping[str, Any]
    prompt: Mapping[str, Any]
    key: str


@dataclass(frozen=True)
class Batch:
    """One workflow and its rows. ``time`` and ``seed`` decide what is resolved when a row is submitted.

    Row ``n`` makes the random choices of the file (``{red|blue}``) with ``seed + n - 1``. ``labels`` are the names of
    values that only name files. ``together`` is how many rows that differ only by seed are sampled at once.
    """

    engine: Engine
    loaded: Loaded
    rows: Sequence[Row]
    stems: Sequence[str]
    names: Names
    pictures: Pictures | Uploaded
    time: datetime
    seed: int = 0
    labels: frozenset[str] = frozenset()
    together: int = 1
    models: ModelMap = field(default_factory=ModelMap)

    def head(self, workflow: str) -> dict[str, Any]:
        """Return the first line of a manifest: what the workflow is called, and what later runs must take over."""
        return {"workflow": workflow, "rows": len(self.rows), "seed": self.seed, "time": self.time.isoformat()}

    def job(self, number: int) -> Job:
        """Return what row ``number`` (from 1) runs.

        Raises:
            LoomisError: the row has a fault, or a value that can't be given.
        """
        return self._job(number, None)

    def check(self, number: int, targets: Collection[str] | None) -> Job | None:
        """Look at what row ``number`` runs: no picture is read, and nothing runs. ``targets`` are those of the run.

        Returns what it runs, or None where that is not known before its pictures are copied.

        Raises:
            LoomisError: it can't run.
        """
        waiting: list[tuple[str, str]] = []
        job = self._job(number, waiting)
        try:
            self.engine.check(job.loaded, job.parameters, targets=targets)
        except ValidationError as error:
            faults = [fault for fault in error.faults if (fault.node, fault.input) not in waiting]
            if faults:
                raise ValidationError(faults) from None
        return None if waiting else job

    def _job(self, number: int, waiting: list[tuple[str, str]] | None) -> Job:
        """Return what a row runs. Inputs that need a picture copied are put into ``waiting``, where it is given."""
        row = self.rows[number - 1]
        if row.fault:
            raise row.fault
        loaded = self._load(number)
        graph = read_graph(loaded.prompt)
        given = {name: value for name, value in row.values.items() if name not in self.labels}
        taken = set()
        for name, value in given.items():
            places = find_places(graph, name, self.engine.registry, loaded.declarations)
            taken.update(places)
            if isinstance(value, str) and is_picture(self.engine, graph, *places[0]):
                if waiting is not None and self.pictures.waits(value):
                    waiting += places
                else:
                    given[name] = self.pictures.name(value)
        seeds = controlled(loaded.prompt, loaded.controls, self.engine.registry, number, self.seed)
        given |= {f"{id}.{name}": value for (id, name), value in seeds.items() if (id, name) not in taken}
        prompt = set_parameters(graph, given, self.engine.registry, loaded.declarations, loaded.prefixes)
        stem = self.stems[number - 1]
        key = blake3(json.dumps([prompt, stem, self.together], sort_keys=True).encode()).hexdigest(16)
        return Job(number, stem, row, loaded, given, prompt, key)

    def _load(self, number: int) -> Loaded:
        """Read a saved document for a row: again where it chooses something at random, else once."""
        if number == 1 or not any(remark.code in PICKS for remark in self._first.diagnostics):
            return self._first
        return self._submitted(self.seed + number - 1)

    @cached_property
    def _first(self) -> Loaded:
        return self._submitted(self.seed)

    def _submitted(self, seed: int) -> Loaded:
        """Return the workflow as it is when it is submitted with a seed, at the time of the batch."""
        saved = self.loaded.saved if self.loaded.format != "api" else None
        loaded = self.loaded if saved is None else self.engine.load(saved, seed=seed, now=self.time)
        return self.models.apply(loaded, self.engine.registry, self.engine.folders)


def port_of(engine: Engine, graph: Graph, node: str, name: str) -> Port | None:
    """Return what is declared of an input, where its node type is known."""
    spec = engine.registry.specs.get(graph.nodes[node].class_type)
    return spec.ports.get(name) if spec else None


def is_picture(engine: Engine, graph: Graph, node: str, name: str) -> bool:
    """Whether an input names a file of the input folder."""
    port = port_of(engine, graph, node, name)
    return port is not None and isinstance(port.choices, InputFile)


def picture_input(engine: Engine, loaded: Loaded) -> str | None:
    """Return the one declared parameter, else the one input, that names a picture; None when there is not one."""
    graph = read_graph(loaded.prompt)
    for places in (_declared(engine, graph, loaded), _inputs(engine, graph)):
        found = [name for name, node, field in places if is_picture(engine, graph, node, field)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _declared(engine: Engine, graph: Graph, loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    for name in loaded.declarations:
        yield name, *find_places(graph, name, engine.registry, loaded.declarations)[0]


def _inputs(engine: Engine, graph: Graph) -> Iterator[tuple[str, str, str]]:
    for id, node in graph.nodes.items():
        for name in node.inputs:
            yield f"{id}.{name}", id, name


def lay_out(
    engine: Engine, loaded: Loaded, rows: Sequence[Row], zipped: Sequence[Axis], grid: Sequence[Axis],
    names: Names, pictures: Pictures | Uploaded,
) -> tuple[list[Row], list[str], frozenset[str]]:  # fmt: skip
    """Return all rows, the name of each without suffix, and the names of values that only name files.

    Raises:
        SettingError: a name has two meanings or none, or two rows would have one file.
        WorkflowError: a name fits several inputs.
    """
    graph = read_graph(loaded.prompt)
    known = dict.fromkeys(name for row in rows for name in row.values)
    known |= dict.fromkeys(axis.name for axis in (*zipped, *grid))
    labels = set()
    spread: dict[str, bool] = {}
    for name in known:
        try:
            places = find_places(graph, name, engine.registry, loaded.declarations)
            spread[name] = is_picture(engine, graph, *places[0])
        except WorkflowError as error:
            if name not in names.fields():
                raise error
            labels.add(name)
    names.check(known)
    if "row" in known and "row" not in labels:
        raise SettingError("A column or axis can't be called row.", got="row", hint="Use NODE.INPUT.")
    for axis in (*zipped, *grid):
        if axis.name not in labels:
            _check_range(
                axis, port_of(engine, graph, *find_places(graph, axis.name, engine.registry, loaded.declarations)[0])
            )
    axes = [[_spread(axis, pictures) if spread.get(axis.name) else axis for axis in each] for each in (zipped, grid)]
    found = list(combine(rows, *axes))
    return found, names.stems([row.values for row in found]), frozenset(labels)


def _check_range(axis: Axis, port: Port | None) -> None:
    """See that no range of numbers is written in another way.

    Raises:
        SettingError: one is.
    """
    if port is None or port.type not in ("INT", "FLOAT") or isinstance(axis.values, range):
        return
    for value in axis.values:
        if not isinstance(value, str):
            continue
        almost = ALMOST_RANGE.fullmatch(value.strip())
        if almost or PART_OF_RANGE.fullmatch(value):
            right = f"the range as {axis.name}={almost[1]}..{almost[2]}" if almost else f"a range as {axis.name}=1..3"
            raise SettingError(
                f"{value!r} is no number for {axis.name}.",
                got=value,
                expected="numbers, or a range: FIRST..LAST or FIRST..LAST..STEP",
                hint=f"Write {right}.",
            )


def _spread(axis: Axis, pictures: Pictures | Uploaded) -> Axis:
    """Take patterns of pictures apart."""
    return Axis(axis.name, [name for value in axis.values for name in pictures.spread(str(value))])
