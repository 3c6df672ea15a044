"""Inputs and outputs that newer nodes declare, and the form that classic nodes declare them in."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

RENAMED = {
    "display_mode": "display",
    "dynamic_prompts": "dynamicPrompts",
    "force_input": "forceInput",
    "multiselect": "multi_select",
    "raw_link": "rawLink",
    "widget_type": "widgetType",
}
"""Options that have another name in classic nodes."""


class Input:
    """One input. ``options`` go to editors; those that are None are left out."""

    io_type = "*"

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        extra_dict: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.id = id
        self.optional = optional
        self.default = default
        given = {"display_name": display_name, "tooltip": tooltip, "lazy": lazy, "default": default, **options}
        self.options = {RENAMED.get(name, name): _plain(value) for name, value in given.items() if value is not None}
        if upload := self.options.pop("upload", None):
            self.options[upload] = True
        self.options |= extra_dict or {}

    def as_classic(self) -> tuple[str, dict[str, Any]]:
        """Return the type and the options, as an entry of ``INPUT_TYPES`` has them."""
        return self.io_type, dict(self.options)

    def value(self, given: Any, inner: Mapping[str, Any]) -> Any:
        """Return what ``execute`` gets. ``inner`` are the values whose names begin with this input's and a dot."""
        return given


class WidgetInput(Input):
    """One input that has a widget."""


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.as_dict() if hasattr(value, "as_dict") else value


class ComboInput(WidgetInput):
    """A choice: of a list, or of an Enum's values."""

    io_type = "COMBO"

    def __init__(self, id: str, options: Iterable[Any] | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(id, *args, **kwargs)
        self.options["options"] = [_plain(option) for option in options or ()]


class MultiComboInput(ComboInput):
    """Several choices of a list."""

    def __init__(self, id: str, options: Iterable[Any] | None = None, *args: Any, **kwargs: Any) -> None:
        marks = {name: kwargs.pop(name, None) for name in ("placeholder", "chip")}
        super().__init__(id, options, *args, **kwargs)
        self.options["multi_select"] = {name: mark for name, mark in marks.items() if mark is not None}


class MultiTypeInput(Input):
    """An input of several types; one that is given has the widget."""

    def __init__(self, id: "str | Input", types: Sequence[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(id.id if isinstance(id, Input) else id, *args, **kwargs)
        first: list[Any] = []
        if isinstance(id, Input):
            self.optional = self.optional or id.optional
            self.options = {**id.options, **self.options}
            first = [id.io_type]
        names = [*first, *(each.io_type for each in types)]
        self.io_type = ",".join(dict.fromkeys(names))


class MatchTemplate:
    """A type that is the same at all inputs and outputs that have it."""

    def __init__(self, template_id: str, allowed_types: Any = None) -> None:
        self.template_id = template_id
        self.allowed_types = allowed_types


class MatchTypeInput(Input):
    """An input of a type that others share. Any type fits here."""

    def __init__(self, id: str, template: MatchTemplate, *args: Any, **kwargs: Any) -> None:
        super().__init__(id, *args, **kwargs)
        self.template = template


class ComboOption:
    """A choice that brings inputs of its own."""

    def __init__(self, key: str, inputs: Sequence[Input] = ()) -> None:
        self.key = key
        self.inputs = list(inputs)


class DynamicComboInput(Input):
    """A choice whose options bring inputs of their own, named behind it and a dot."""

    io_type = "COMFY_DYNAMICCOMBO_V3"

    def __init__(self, id: str, options: Sequence[ComboOption], *args: Any, **kwargs: Any) -> None:
        super().__init__(id, *args, **kwargs)
        self.choices = list(options)

    def as_classic(self) -> tuple[str, dict[str, Any]]:
        """Return the type and the options."""
        options = [{"key": each.key, "inputs": sections(each.inputs)} for each in self.choices]
        return self.io_type, {**self.options, "options": options}

    def value(self, given: Any, inner: Mapping[str, Any]) -> Any:
        """Return a dict with the choice under this input's name, and the values of what it brings."""
        chosen = next((each.inputs for each in self.choices if each.key == given), ())
        return {self.id: given, **nested(chosen, inner)}


class GrowTemplate:
    """What the inputs of a growing group are: ``input`` under each of some names, at least ``min`` of them."""

    def __init__(self, input: Input, names: Sequence[str], min: int, facts: Mapping[str, Any]) -> None:
        self.input = input
        self.names = list(names)
        self.min = min
        self.facts = facts


def template_prefix(input: Input, prefix: str, min: int = 1, max: int = 10) -> GrowTemplate:
    """Return a group whose names are a prefix and a number from 0 on."""
    return GrowTemplate(
        input, [f"{prefix}{index}" for index in range(max)], min, {"prefix": prefix, "min": min, "max": max}
    )


def template_names(input: Input, names: Sequence[str], min: int = 1) -> GrowTemplate:
    """Return a group with given names."""
    return GrowTemplate(input, names, min, {"names": list(names), "min": min})


class AutogrowInput(Input):
    """A group of inputs that editors let grow, named behind it and a dot."""

    io_type = "COMFY_AUTOGROW_V3"

    def __init__(self, id: str, template: GrowTemplate, *args: Any, **kwargs: Any) -> None:
        super().__init__(id, *args, **kwargs)
        self.template = template
        self.optional = True

    def as_classic(self) -> tuple[str, dict[str, Any]]:
        """Return the type and the options."""
        return self.io_type, {
            **self.options,
            "template": {"input": sections([self.template.input]), **self.template.facts},
        }

    def value(self, given: Any, inner: Mapping[str, Any]) -> Any:
        """Return a dict of the values that there are, in order."""
        return {name: inner[name] for name in self.template.names if name in inner}


DYNAMIC = (AutogrowInput, DynamicComboInput)


def nested(inputs: Iterable[Input], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of inputs with those whose names have dots put into dicts. Others stay as they are."""
    found = dict(values)
    for each in inputs:
        if isinstance(each, DYNAMIC):
            inner = {
                name.removeprefix(f"{each.id}."): values[name] for name in values if name.startswith(f"{each.id}.")
            }
            for name in inner:
                found.pop(f"{each.id}.{name}", None)
            found[each.id] = each.value(values.get(each.id), inner)
    return found


def sections(inputs: Iterable[Input]) -> dict[str, dict[str, Any]]:
    """Return inputs as ``INPUT_TYPES`` has them."""
    found: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for each in inputs:
        found["optional" if each.optional else "required"][each.id] = each.as_classic()
    return found


class Output:
    """One output."""

    io_type = "*"

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
        **options: Any,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.tooltip = tooltip
        self.is_output_list = is_output_list

    @property
    def name(self) -> str:
        """What editors show."""
        return self.display_name or self.id or self.io_type


class MatchTypeOutput(Output):
    """An output of a type that others share."""

    def __init__(self, template: MatchTemplate, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.template = template


def typed(base: type, io_type: str) -> Any:
    """Return a class of inputs or outputs of a type."""
    return type(base.__name__, (base,), {"io_type": io_type})
