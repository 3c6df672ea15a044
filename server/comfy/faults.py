"""Faults of a workflow as ComfyUI's clients read them: per node, under ComfyUI's names of faults."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from engine.errors import Fault, LoomisError, ValidationError
from engine.node import Registry
from engine.object_info import object_info

TITLES = {
    "required_input_missing": "An input is missing",
    "bad_linked_input": "An input is linked wrongly",
    "return_type_mismatch": "An input is linked to another type",
    "invalid_input_type": "A value has another type",
    "value_not_in_list": "A value is not in the list",
    "value_smaller_than_min": "A value is too small",
    "value_bigger_than_max": "A value is too big",
    "custom_validation_failed": "A value was refused by its node",
    "exception_during_validation": "The check of a value failed",
    "dependency_cycle": "Nodes depend on each other",
    "missing_node_type": "A node type is missing",
    "invalid_prompt": "An entry is no node",
}
FOR_ALL = {"missing_node_type", "invalid_prompt"}
"""Faults that refuse the whole workflow under their own name, when it is refused."""


def told(type: str, message: str, details: str = "", extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return one error."""
    return {"type": type, "message": message, "details": details, "extra_info": dict(extra or {})}


def refused(error: LoomisError, prompt: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Return the answer to a workflow that can't run."""
    if not isinstance(error, ValidationError):
        type = "invalid_prompt" if prompt else "prompt_no_outputs"
        return {"error": told(type, error.message, error.hint or ""), "node_errors": {}}
    nodes = node_errors(error.faults, prompt, registry)
    for fault in error.faults:
        if fault.node is None:
            return {"error": told(fault.code, fault.message, fault.hint or ""), "node_errors": nodes}
        if fault.code in FOR_ALL:
            meta = _part(_part(prompt, fault.node), "_meta")
            extra = {"node_id": fault.node, "class_type": fault.class_type, "node_title": meta.get("title")}
            return {"error": told(fault.code, fault.message, f"Node ID '#{fault.node}'", extra), "node_errors": nodes}
    lines = "\n".join(fault.message for fault in error.faults)
    return {"error": told("prompt_outputs_failed_validation", "No output can run", lines), "node_errors": nodes}


def node_errors(faults: Sequence[Fault], prompt: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Return the faults by node; ``prompt`` is the workflow as it was sent."""
    found: dict[str, Any] = {}
    declared = cache(partial(_declared, registry))
    for fault in faults:
        if fault.node is None:
            continue
        entry = found.setdefault(
            fault.node,
            {"errors": [], "dependent_outputs": list(fault.outputs), "class_type": fault.class_type},
        )
        entry["errors"].append(_error(fault, prompt, declared))
    return found


def _error(fault: Fault, prompt: Mapping[str, Any], declared: Callable[[str, str], Any]) -> dict[str, Any]:
    reason = fault.message.partition(f"input {fault.input}: ")[2] or fault.message
    advice = f" {fault.hint}" if fault.hint else ""
    details = f"{fault.input}: {reason}{advice}" if fault.input else reason + advice
    extra: dict[str, Any] = {"input_name": fault.input}
    inputs = _part(_part(prompt, fault.node), "inputs")
    if fault.input:
        extra["input_config"] = declared(fault.class_type or "", fault.input)
        extra["received_value"] = inputs.get(fault.input, fault.got)
    if fault.code == "return_type_mismatch":
        extra |= {"received_type": fault.got, "linked_node": inputs.get(fault.input)}
    return told(fault.code, TITLES.get(fault.code, fault.code), details, extra)


def _declared(registry: Registry, class_type: str, input: str) -> Any:
    """Return what is declared of an input, without names of files."""
    spec = registry.specs.get(class_type)
    if spec is None:
        return None
    sections = object_info([spec])[spec.type]["input"].values()
    return next((section[input] for section in sections if input in section), None)


def _part(value: Any, name: str | None) -> Any:
    """Return a part of what a client sent as an object; an empty one where it has none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
