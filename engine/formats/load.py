"""One way in: anything that carries a workflow to an API graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.errors import Fault
from engine.formats.api import regular_prompt
from engine.formats.catalogue import Catalogue
from engine.formats.diagnostics import Diagnostic, Report
from engine.formats.read import OURS, Found, Source, read

if TYPE_CHECKING:
    from engine.declarations import Declaration
    from engine.formats.replace import Prefix

VALIDATED = frozenset({"unknown_node", "bad_node", "value_not_in_list", "value_out_of_range", "wrong_type"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workflow, ready to be checked.

    ``prompt`` is the API graph. ``saved`` is the editor's document where the source has one. ``format`` is ``api``,
    ``saved-0.4`` or ``saved-1``: what the graph was made from. ``container`` is json, png, webp, jpeg, mp4 or webm.
    ``controls`` is node id -> input -> what to do with it after a run (fixed, increment, decrement, randomize).
    ``declarations`` are the parameters that the file declares; ``loomis`` is all that Loomis keeps in it; ``prefixes``
    are file name prefixes that follow values of nodes, by node and input. ``source`` is the API graph as it was read,
    where there is one.
    """

    prompt: dict[str, dict[str, Any]]
    saved: dict[str, Any] | None
    diagnostics: tuple[Diagnostic, ...]
    format: str
    container: str
    controls: dict[str, dict[str, str]] = field(default_factory=dict)
    declarations: "Mapping[str, Declaration]" = field(default_factory=dict)
    loomis: Mapping[str, Any] = field(default_factory=dict)
    prefixes: "Mapping[tuple[str, str], Prefix]" = field(default_factory=dict)
    source: Mapping[str, Any] | None = None

    @property
    def faults(self) -> list[Fault]:
        """Entries of an API graph that were meant as nodes and are none, so that the graph is not what it should be."""
        if self.format != "api":
            return []
        bad = (each for each in self.diagnostics if each.code == "bad_node" and each.level == "error")
        return [
            Fault("invalid_prompt", each.message, each.node, None, None, each.got, each.expected, each.hint)
            for each in bad
        ]

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What a person should hear of, less what validation says again."""
        return tuple(each for each in self.diagnostics if each.level != "info" and each.code not in VALIDATED)


def load(source: Source, catalogue: Catalogue, *, seed: int = 0, now: datetime | None = None) -> Loaded:
    """Return the workflow in bytes, in the file at a path, or in a parsed JSON object.

    A picture usually carries both formats. Then the graph is the one that was run (``prompt``), and ``saved`` is the
    document beside it. ``seed`` decides dynamic prompts and ``now`` the date in file names; both apply to saved
    documents only. Raises FileError where the file can't be opened and WorkflowError where it holds no workflow;
    everything else that is wrong is a diagnostic.
    """
    found = read(source)
    ours = _ours(found)
    report = Report()
    declarations = _declarations(ours, report) if ours else {}
    if found.api is not None:
        prompt = regular_prompt(found.api, catalogue, report)
        remarks = report.finish()
        return Loaded(prompt, found.saved, remarks, "api", found.container, {}, declarations, ours, source=found.api)
    saved = found.saved or {}
    from engine.formats.convert import convert  # most runs read the API format and don't pay for it

    converted = convert(saved, catalogue, seed=seed, now=now or datetime.now())
    schema = "saved-1" if saved.get("version") == 1 else "saved-0.4"
    remarks = (*report.finish(), *converted.diagnostics)
    return Loaded(
        converted.prompt, saved, remarks, schema, found.container, converted.controls, declarations, ours,
        converted.prefixes,
    )  # fmt: skip


def _ours(found: Found) -> Mapping[str, Any]:
    """Return what Loomis keeps beside the graph that runs, else in the saved document."""
    extra = (found.saved or {}).get("extra")
    kept = found.loomis if found.loomis is not None else extra.get(OURS) if isinstance(extra, dict) else None
    return kept if isinstance(kept, dict) else {}


def _declarations(ours: Mapping[str, Any], report: Report) -> "Mapping[str, Declaration]":
    from engine.declarations import read_declarations  # most files declare nothing and don't pay for it

    return read_declarations(ours, report)
