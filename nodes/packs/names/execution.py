"""The executor as node packs see it: the module ``execution``, whose other members are placeholders."""

from enum import Enum
from typing import Any

from engine.errors import ValidationError, WorkflowError
from engine.graph import read_graph
from engine.validate import validate
from nodes.packs import current
from nodes.packs.names.placeholders import members_of

__getattr__ = members_of(__name__)


class ExecutionResult(Enum):
    SUCCESS = 0
    FAILURE = 1
    PENDING = 2


def full_type_name(klass: type) -> str:
    """Return a class's name with its module, which is left out for Python's own."""
    return klass.__qualname__ if klass.__module__ == "builtins" else f"{klass.__module__}.{klass.__qualname__}"


async def validate_prompt(
    prompt_id: Any, prompt: Any, partial_execution_list: list[str] | None = None
) -> tuple[bool, dict[str, Any] | None, list[str], dict[str, Any]]:
    """Return whether a prompt may run, what is wrong with it, its output nodes, and what is wrong by node."""
    try:
        bound = validate(
            read_graph(prompt), current.registry(), current.folders(), targets=partial_execution_list, partial=True
        )
    except WorkflowError as error:
        faults = error.faults if isinstance(error, ValidationError) else ()
        told = {"type": error.code, "message": error.message, "details": error.hint or "", "extra_info": {}}
        return False, told, [], _by_node(faults)
    return True, None, list(bound.targets), _by_node(bound.faults)


def _by_node(faults: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fault in faults:
        entry = found.setdefault(
            fault.node, {"errors": [], "dependent_outputs": list(fault.outputs), "class_type": fault.class_type}
        )
        entry["errors"].append(
            {"type": fault.code, "message": fault.message, "details": fault.hint or "", "extra_info": {}}
        )
    return found
