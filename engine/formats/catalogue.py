"""What the converter must know of node types: the form of ``/object_info``, made regular."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import WorkflowError

ANY = "*"


@dataclass(frozen=True, slots=True)
class InputInfo:
    """One declared input. ``type`` is one name (choices are COMBO, several names are joined by commas)."""

    name: str
    type: str
    required: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] | None = None

    @property
    def forced(self) -> bool:
        """A socket by declaration, whatever its type."""
        return bool(self.options.get("forceInput"))


@dataclass(frozen=True, slots=True)
class OutputInfo:
    name: str
    type: str


@dataclass(frozen=True, slots=True, eq=False)
class ClassInfo:
    """One node type: inputs in widget order (required, then optional), outputs in slot order."""

    name: str
    display_name: str
    inputs: tuple[InputInfo, ...]
    outputs: tuple[OutputInfo, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every known node type, by name."""

    classes: Mapping[str, ClassInfo] = field(default_factory=dict)

    def get(self, name: str) -> ClassInfo | None:
        return self.classes.get(name)


def catalogue_from_object_info(info: Any) -> Catalogue:
    """Return the catalogue of a parsed ``/object_info`` answer.

    Raises WorkflowError where it is not an object. Entries of a wrong form are left out.
    """
    if not isinstance(info, Mapping):
        raise WorkflowError(
            "The node catalogue can't be read.",
            got=type(info).__name__,
            expected="the JSON object that a server answers at /object_info",
        )
    return Catalogue({name: class_info(name, entry) for name, entry in info.items() if isinstance(entry, Mapping)})


def type_name(declared: Any) -> str:
    """Return the one name of a declared or saved socket type: a list of choices is COMBO, nothing is ``*``."""
    match declared:
        case str() if declared:
            return declared
        case list() | tuple():
            return "COMBO"
    return ANY


def class_info(name: str, entry: Mapping[str, Any]) -> ClassInfo:
    """Return one entry of ``/object_info``, made regular."""
    display = entry.get("display_name")
    return ClassInfo(
        name,
        display if isinstance(display, str) and display else name,
        tuple(inputs_of(entry.get("input"), entry.get("input_order"))),
        tuple(_outputs(entry.get("output"), entry.get("output_name"))),
    )


def inputs_of(declared: Any, order: Any = None) -> list[InputInfo]:
    """Return declared inputs in widget order: required, then optional, each in the given order, then as declared."""
    found = []
    for section in ("required", "optional"):
        specs = _mapping(_mapping(declared).get(section))
        listed = _names(_mapping(order).get(section))
        names = dict.fromkeys([*(name for name in listed if name in specs), *specs])
        found += [_input_info(name, specs[name], required=section == "required") for name in names]
    return found


def _input_info(name: str, spec: Any, *, required: bool) -> InputInfo:
    parts = spec if isinstance(spec, list | tuple) and spec else [spec]
    declared, options = parts[0], _mapping(parts[1]) if len(parts) > 1 else {}
    choices = declared if isinstance(declared, list | tuple) else options.get("options")
    listed = tuple(choices) if isinstance(choices, list | tuple) and not options.get("remote") else None
    return InputInfo(name, type_name(declared), required, options, listed)


def _outputs(types: Any, names: Any) -> list[OutputInfo]:
    listed = [type_name(item) for item in types] if isinstance(types, list | tuple) else []
    labels = list(names) if isinstance(names, list | tuple) else []
    return [OutputInfo(str(labels[index]) if index < len(labels) else kind, kind) for index, kind in enumerate(listed)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
