"""The widget values of one saved node, by name, however its file stores them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.formats.diagnostics import Report, told
from engine.formats.document import Node
from engine.formats.packs import pack_values
from engine.formats.vocabulary import Vocabulary
from engine.formats.widgets import CONTROL, CONTROL_MODES, SEEDS, Widget, is_control, walk

Layout = Sequence[Widget]


@dataclass(frozen=True, slots=True)
class Values:
    """``sent`` goes into the API graph; ``controls`` says what to do with an input after each run.

    A choice without a value and without options is not sent: validation names it as missing.
    """

    sent: dict[str, Any] = field(default_factory=dict)
    widgets: Mapping[str, Widget] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)


def values_of(node: Node, path: str, vocabulary: Vocabulary, report: Report) -> Values:
    """Return the values of a node. ``path`` is its id in the API graph, for the report."""
    special = pack_values(node)
    if special is not None:
        return Values(special)
    info = vocabulary.info(node)
    if info is None:
        return Values(_unknown_values(node, path, report))
    layout = vocabulary.layout(info)
    if isinstance(node.values, dict):
        return _by_name(layout, node.values)
    return _positional(node, path, layout, report)


def _positional(node: Node, path: str, layout: Layout, report: Report) -> Values:
    values = node.value_list
    walked = walk(_fitting(layout, values), lambda _, at: values[at] if at < len(values) else None)
    surplus = [value for value in values[len(walked) :] if value not in (None, "")]
    if node.named and (surplus or len(values) < len(walked)):
        if values:
            _report_length(report, node, path, len(walked), "The values saved by name are used.")
        return _by_name(layout, {**{widget.name: value for widget, value in walked}, **node.named})
    if surplus:
        _report_length(report, node, path, len(walked), "The rest is ignored.")
    missing = [widget.name for widget, _ in walked[len(values) :] if widget.sent and widget.type != "PLAYER"]
    if values and missing:
        report.add(
            "missing_values",
            f"The file has no value for {', '.join(missing)}; the default is used.",
            node=path,
            class_type=node.type,
            level="info",
        )
    _compare_named(node, path, walked, report)
    return _collect(walked)


def _report_length(report: Report, node: Node, path: str, expected: int, outcome: str) -> None:
    report.add(
        "misaligned_values",
        f"The node has {len(node.value_list)} widget values and its type has {expected}. {outcome}",
        node=path,
        class_type=node.type,
        got=node.value_list,
        expected=f"{expected} values",
        hint="The node type has changed since the file was saved: check the values.",
    )


def _fitting(layout: Layout, values: Sequence[Any]) -> Layout:
    """Return the slots that a list of values was saved with.

    Files from before frontend 1.16 have a slot for each forced input; hand-made ones may lack the control slots.
    """
    plain = [widget for widget in layout if not widget.forced]
    if len(plain) < len(layout) == len(values):
        return layout
    bare = [widget for widget in plain if widget.type != "CONTROL"]
    if len(bare) == len(values) < len(plain):
        walked = zip(plain, values, strict=False)
        if not any(widget.type == "CONTROL" and is_control(value) for widget, value in walked):
            return bare
    return plain


def _by_name(layout: Layout, named: Mapping[str, Any]) -> Values:
    return _collect(walk([widget for widget in layout if not widget.forced], lambda widget, _: named.get(widget.name)))


def _collect(walked: Sequence[tuple[Widget, Any]]) -> Values:
    found = Values({}, {widget.name: widget for widget, _ in walked if widget.sent}, {})
    owner = ""
    for widget, value in walked:
        if widget.sent:
            owner = widget.name
            chosen = widget.default if value is None or widget.type == "PLAYER" else value
            if chosen is not None:
                found.sent[owner] = chosen
        elif widget.name == CONTROL and isinstance(value, str) and value in CONTROL_MODES:
            found.controls[owner] = value
    return found


def _compare_named(node: Node, path: str, walked: Sequence[tuple[Widget, Any]], report: Report) -> None:
    for widget, value in walked:
        copy = node.named.get(widget.name)
        if widget.sent and _scalar(value) and _scalar(copy) and value != copy:
            report.add(
                "named_value_differs",
                f"The value of {widget.name} is saved twice and differs; the one in the list is used.",
                node=path,
                input=widget.name,
                got=copy,
                expected=told(value),
            )


def _scalar(value: Any) -> bool:
    return isinstance(value, str | bool | float) or (isinstance(value, int) and value.bit_length() < 256)


def _unknown_values(node: Node, path: str, report: Report) -> dict[str, Any]:
    """Return what can be known of the values of an unknown type: named ones, or those of saved widget sockets."""
    if isinstance(node.values, dict):
        return {name: value for name, value in node.values.items() if name != "videopreview"}
    if node.named:
        return {name: value for name, value in node.named.items() if name not in (CONTROL, "upload")}
    values = node.value_list
    names = [slot.widget for slot in node.inputs if slot.widget is not None]
    seeded = [item for name in names for item in ((name, None) if name in SEEDS else (name,))]
    for candidate in (seeded, names):
        if len(candidate) == len(values):
            return {name: value for name, value in zip(candidate, values, strict=True) if name is not None}
    if values:
        report.add(
            "unnamed_values",
            f"The values of the unknown type {node.type} can't be given names and are left out.",
            node=path,
            class_type=node.type,
            got=values,
            expected="values by name, or a catalogue that has the type",
            level="error",
        )
    return {}
