"""Remarks about a node that is otherwise converted: unknown types, values out of range, inputs nobody declared."""

import math
from typing import Any

from engine.formats.diagnostics import Report
from engine.formats.emit import Entry
from engine.formats.packs import pack_hint
from engine.formats.vocabulary import Vocabulary
from engine.formats.widgets import DYNAMIC_COMBO, NUMBERS, PLAYERS, Widget


def check_entry(entry: Entry, vocabulary: Vocabulary, report: Report) -> None:
    """Report what is noteworthy about a finished node."""
    info = vocabulary.info(entry.node)
    if info is None:
        report.add(
            "unknown_node",
            f"The node type {entry.node.type} is not known here.",
            node=entry.path,
            class_type=entry.node.type,
            got=entry.node.type,
            hint=pack_hint(entry.node.properties),
            level="error",
        )
        return
    declared = {item.name for item in info.inputs} | {PLAYERS.get(info.name, "")}
    for name in entry.wires:
        if name not in declared and "." not in name:
            report.add(
                "undeclared_input",
                f"The node type has no input {name}.",
                node=entry.path,
                class_type=info.name,
                input=name,
                level="info",
            )
    for name, widget in entry.values.widgets.items():
        if name in entry.literals and name not in entry.wires:
            _check_value(entry, widget, entry.literals[name], report)


def _check_value(entry: Entry, widget: Widget, value: Any, report: Report) -> None:
    problem = _problem(widget, value)
    if problem:
        report.add(
            problem[0],
            f"The value of {widget.name} is not one that the node type takes.",
            node=entry.path,
            class_type=entry.node.type,
            input=widget.name,
            got=value,
            expected=problem[1],
        )


def _problem(widget: Widget, value: Any) -> tuple[str, str] | None:
    """Return a code and what is expected instead, or None where the value is fine."""
    if widget.type == "COMBO" and widget.choices is not None and not widget.options.get("multiselect"):
        return None if value in widget.choices else ("value_not_in_list", _listed(widget.choices))
    if widget.type == DYNAMIC_COMBO:
        keys = tuple(item.get("key") for item in widget.choices or () if isinstance(item, dict))
        return None if value in keys else ("value_not_in_list", _listed(keys))
    if widget.type in NUMBERS:
        return _number_problem(widget, value)
    if widget.type == "STRING" and not isinstance(value, str):
        return "wrong_type", "text"
    return None


def _number_problem(widget: Widget, value: Any) -> tuple[str, str] | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        return "wrong_type", "a number"
    low, high = widget.options.get("min"), widget.options.get("max")
    below = isinstance(low, int | float) and value < low
    above = isinstance(high, int | float) and value > high
    return ("value_out_of_range", f"{low} to {high}") if below or above else None


def _finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _listed(choices: tuple[Any, ...]) -> str:
    shown = ", ".join(str(choice) for choice in choices[:12])
    return f"one of {shown}" if choices else "a choice, but this catalogue lists none"
