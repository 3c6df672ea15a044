"""Whose failure it was: errors get the node they happened in."""

from engine.binding import BoundNode
from engine.errors import Cancelled, LoomisError, NodeFailure, OutOfMemory, shortened

NO_MEMORY = "DefaultCPUAllocator: can't allocate memory"
"""What torch says, as a RuntimeError, when the CPU's memory ran out."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    is_torchs = type(error).__name__ == "OutOfMemoryError" or NO_MEMORY in str(error)
    return is_torchs or isinstance(error, MemoryError | OutOfMemory)


def located(error: BaseException, node: BoundNode) -> LoomisError:
    """Return the error with the node it happened in; errors that are not ours become a NodeFailure."""
    if isinstance(error, LoomisError):
        if error.node is None:
            error.node = node.id
        error.class_type = error.class_type or node.spec.type
        return error
    if ran_out(error):
        return OutOfMemory(
            f"Memory ran out in {node.spec.type}.",
            node=node.id,
            class_type=node.spec.type,
            got=shortened(str(error)),
            expected="memory for what the node makes",
            hint="Use a smaller size or batch, or a lower precision.",
        )
    if type(error).__name__ == "CancelledError":
        return Cancelled("The run was cancelled.", node=node.id)
    return NodeFailure(
        f"{node.spec.type} failed: {type(error).__name__}: {shortened(str(error))}",
        node=node.id,
        class_type=node.spec.type,
        got=type(error).__name__,
        expected="the node to finish",
        hint="Check the node's inputs; if they look right, report it with the log.",
    )
