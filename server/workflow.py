"""Workflow files as the command line names them, and the values it sets in them."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from engine.errors import SettingError
from engine.graph import parse_json, read_file


def read_workflow(name: str) -> Any:
    """Return the JSON of a workflow file; ``-`` is standard input.

    Raises:
        WorkflowError: it can't be read or is not JSON.
    """
    return parse_json(sys.stdin.buffer.read(), "standard input") if name == "-" else read_file(Path(name))


def node_types(workflow: Any) -> dict[str, str]:
    """Return the type of each node by id, of either file format, as far as the file tells."""
    if not isinstance(workflow, dict):
        return {}
    saved = workflow.get("nodes")
    if isinstance(saved, list):
        return {str(node.get("id")): str(node.get("type")) for node in saved if isinstance(node, dict)}
    return {id: str(node.get("class_type")) for id, node in workflow.items() if isinstance(node, dict)}


def parse_values(settings: Sequence[str]) -> dict[str, Any]:
    """Return what ``--set NODE.INPUT=VALUE`` means, as parameters of a run.

    Raises:
        SettingError: one has another form.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        target, equals, text = setting.partition("=")
        if not equals or not all(target.rpartition(".")):
            raise SettingError(
                f"--set can't use {setting!r}.",
                got=setting,
                expected="NODE.INPUT=VALUE",
                hint='Write it like --set 3.seed=42 or --set "6.text=a fox".',
            )
        values[target] = parse_value(text)
    return values


def parse_value(text: str) -> Any:
    """Return a value from the command line: JSON, or the text itself.

    A number that would be written another way (``1.50``, ``007``) and the words true, false and null stay texts: the
    input's declared type decides what they mean.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, str | list | dict):
        return value
    return value if type(value) in (int, float) and json.dumps(value) == text else text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def typed(types: Mapping[str, str], node: str) -> str:
    """Return a node as a person knows it: its id and type."""
    return f"{node} {types[node]}" if node in types else node
