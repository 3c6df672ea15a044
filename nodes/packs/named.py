"""Which choices of a pack's nodes name files, so that the content of these is in the key."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePosixPath

from engine.folders import KINDS, Folders
from nodes.packs.facts import Choice, InputFacts, NodeFacts
from nodes.packs.names import folder_paths

NOT_MODELS = frozenset({"custom_nodes"})
"""Kinds of folders whose files no choice means."""


@dataclass
class Named:
    """The files that there are, by the folder that they lie below. Packs may have added folders."""

    folders: Folders

    @cached_property
    def kinds(self) -> dict[tuple[str, ...], list[str]]:
        """The kinds of models by the list of their files."""
        found: dict[tuple[str, ...], list[str]] = {}
        for kind in KINDS:
            if names := tuple(self.folders.names(kind)):
                found.setdefault(names, []).append(kind)
        return found

    @cached_property
    def names(self) -> dict[str, frozenset[str]]:
        """The names of the files below each folder, with their suffix and without."""
        known = folder_paths.folder_names_and_paths.items()
        roots = [path for kind, (paths, _) in known if kind not in NOT_MODELS for path in paths]
        found = {}
        for root in dict.fromkeys([*roots, str(self.folders.input.absolute())]):
            names, _ = folder_paths.recursive_search(root)
            found[root] = frozenset(names) | {PurePosixPath(name).with_suffix("").as_posix() for name in names}
        return found

    def nodes(self, nodes: Iterable[NodeFacts]) -> tuple[NodeFacts, ...]:
        """Return nodes that know which of their choices are files."""
        return tuple(replace(node, inputs=tuple(map(self._input, node.inputs))) for node in nodes)

    def _input(self, each: InputFacts) -> InputFacts:
        """Return an input with the kind whose whole list its choices are, else with the folders that hold some.

        Names that two kinds have stand for the files of both.
        """
        if not each.choices:
            return each
        if len(kinds := self.kinds.get(each.choices, [])) == 1:  # type: ignore[arg-type]
            return replace(each, folder=kinds[0])
        return replace(each, below=self._roots(each.choices))

    def _roots(self, choices: Iterable[Choice]) -> tuple[str, ...]:
        texts = {each.replace("\\", "/") for each in choices if isinstance(each, str)}
        return tuple(root for root, names in self.names.items() if not names.isdisjoint(texts))
