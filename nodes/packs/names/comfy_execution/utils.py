"""Which call runs: the module ``comfy_execution.utils``."""

from dataclasses import dataclass

from nodes.packs import current


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """A call of a node. Loomis does not tell a node its job or the place of its call, so those are empty."""

    prompt_id: str
    node_id: str
    list_index: int | None


def get_executing_context() -> ExecutionContext | None:
    """Return the call that runs in this thread, or None outside of one."""
    context = current.context()
    return ExecutionContext("", context.node, None) if context else None
