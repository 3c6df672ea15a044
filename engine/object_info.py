"""Node types in the form that ComfyUI's ``/object_info`` has, for editors, clients and the converter of saved files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from engine.choices import offered
from engine.folders import Folders
from engine.formats.catalogue import ClassInfo, class_info
from engine.schema import NO_DEFAULT, Choice, FileChoices, NodeSpec, Port

SAVES = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
"""What output nodes get without asking: the workflow that goes into their files."""

FLAGS = {"deprecated": False, "experimental": False, "api_node": False}

Names = Callable[[FileChoices], list[str]]


def object_info(specs: Iterable[NodeSpec], folders: Folders | None = None) -> dict[str, dict[str, Any]]:
    """Return node types by name. Choices of files are listed as they are in ``folders`` now, or left open without."""
    names = cache(lambda source: offered(source, folders)) if folders else None
    return {spec.type: _entry(spec, names) for spec in specs}


class SpecClasses(Mapping[str, ClassInfo]):
    """What the converter must know of node types, made of a type when it is first asked for.

    Choices of files are open: a converted workflow keeps the names that its file has.
    """

    def __init__(self, specs: Mapping[str, NodeSpec]) -> None:
        self._specs = specs
        self._known: dict[str, tuple[NodeSpec, ClassInfo]] = {}

    def __getitem__(self, name: str) -> ClassInfo:
        spec = self._specs[name]
        known = self._known.get(name)
        if known is None or known[0] is not spec:
            known = self._known[name] = spec, class_info(name, _entry(spec, None))
        return known[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


def port_choices(port: Port, folders: Folders) -> Sequence[Choice] | None:
    """Return the values that an input may have, files as they are now; None where it has no list."""
    match port.choices:
        case None | tuple():
            return port.choices
        case source:
            return offered(source, folders)


def _entry(spec: NodeSpec, names: Names | None) -> dict[str, Any]:
    inputs: dict[str, dict[str, Any]] = {"required": {}}
    hidden = dict(SAVES if spec.output_node else {}) | {name: each.token for name, each in spec.hidden.items()}
    for port in spec.inputs:
        if port.hidden is not None:
            hidden[port.name] = port.hidden
            continue
        section = inputs.setdefault("required" if port.required else "optional", {})
        section[port.name] = _input(port, names)
    if hidden:
        inputs["hidden"] = hidden
    return {
        "input": inputs,
        "input_order": {section: list(ports) for section, ports in inputs.items()},
        "is_input_list": spec.input_is_list,
        "output": [slot.type for slot in spec.outputs],
        "output_is_list": [slot.is_list for slot in spec.outputs],
        "output_name": [slot.name for slot in spec.outputs],
        "name": spec.type,
        "display_name": spec.display_name,
        "description": spec.description,
        "python_module": spec.function.__module__,
        "category": spec.category,
        "output_node": spec.output_node,
        **FLAGS,
        **spec.flags,
    }


def _input(port: Port, names: Names | None) -> list[Any]:
    facts = {"min": port.minimum, "max": port.maximum, "lazy": port.lazy or None}
    options = {name: value for name, value in facts.items() if value is not None} | dict(port.options)
    if port.default is not NO_DEFAULT and port.default is not None:
        options["default"] = port.default
    choices: Sequence[Choice] | None
    match port.choices:
        case None | tuple():
            choices = port.choices
        case source:
            choices = names(source) if names else None
    if choices is None and port.type == "COMBO":
        choices = options.pop("options", None)
    return [port.type if choices is None else list(choices), options]
