"""Other models in the place of those that a workflow names and that are not here."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from engine.errors import FileError
from engine.folders import Folders
from engine.formats import Diagnostic, Loaded
from engine.node import Files, Registry


@dataclass(frozen=True, slots=True)
class ModelMap:
    """``names`` maps a name as a workflow has it, or its last part, to the name of a model that is here.

    With ``nearest``, a model that is not here and has no other name becomes the one of its folder that is spelled most
    alike.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    nearest: bool = False

    def apply(self, loaded: Loaded, registry: Registry, folders: Folders) -> Loaded:
        """Return a workflow with other models, and a warning for each. Names on wires are not looked at."""
        found = list(self._found(loaded.prompt, registry, folders))
        if not found:
            return loaded
        prompt = dict(loaded.prompt)
        for id, name, _, new in found:
            prompt[id] = {**prompt[id], "inputs": {**prompt[id]["inputs"], name: new}}
        types = {id: node["class_type"] for id, node in loaded.prompt.items()}
        remarks = [
            Diagnostic("model_mapped", f"{new} takes the place of {old}.", id, name, old, class_type=types[id])
            for id, name, old, new in found
        ]
        return replace(loaded, prompt=prompt, diagnostics=(*loaded.diagnostics, *remarks))

    def _found(
        self, prompt: Mapping[str, Any], registry: Registry, folders: Folders
    ) -> Iterator[tuple[str, str, str, str]]:
        """Yield node, input, old and new name."""
        for id, node in prompt.items():
            spec = registry.specs.get(node["class_type"])
            for name, value in node["inputs"].items() if spec else ():
                port = spec.ports.get(name) if spec else None
                if port is None or not isinstance(port.choices, Files) or not isinstance(value, str):
                    continue
                if value in port.choices.also:
                    continue
                new = self._other(value, port.choices.folder, folders)
                if new is not None and new != value:
                    yield id, name, value, new

    def _other(self, value: str, folder: str, folders: Folders) -> str | None:
        plain = value.replace("\\", "/")
        for name in (value, plain, _base(plain)):
            if name in self.names:
                return self.names[name]
        return (
            nearest_model(plain, folders.names(folder)) if self.nearest and not _here(value, folder, folders) else None
        )


def _here(value: str, folder: str, folders: Folders) -> bool:
    try:
        return folders.model(folder, value) is not None
    except FileError:
        return False


def nearest_model(name: str, models: Iterable[str]) -> str | None:
    """Return the model whose last part is spelled most like that of ``name``, whatever the case; None of none."""

    def alike(model: str) -> float:
        return difflib.SequenceMatcher(None, _base(model).lower(), _base(name).lower()[:200]).ratio()

    return max(models, key=alike, default=None)


def _base(name: str) -> str:
    return PurePosixPath(name).name
