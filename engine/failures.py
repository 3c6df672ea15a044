"""Whose failure it was: errors get the node they happened in, and what can be told of it to who looks for the cause."""

import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from engine.binding import BoundNode
from engine.errors import Cancelled, LoomisError, NodeFailure, OutOfMemory, Raised, shortened

NO_MEMORY = (
    "DefaultCPUAllocator: ", "MPS backend out of memory", "CUDA error: out of memory", "_ALLOC_FAILED",
)  # fmt: skip
"""What torch says, as a RuntimeError, when memory ran out: the CPU's, that of Apple's GPUs, or that which CUDA and its
libraries take beside the allocator."""

MOST_FRAMES = 30
LONGEST_FRAME = 400
MOST_INPUTS = 50
MOST_VALUES = 4
LONGEST_VALUE = 120
LONGEST_TEXT = 1000

SECRET = re.compile("api_?key|passw|pwd|secret|credential|token|auth|bearer|(^|_)key$", re.IGNORECASE)
"""The names of inputs whose values are not told."""

LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
"""The name and password in an address."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in NO_MEMORY)


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


def raised(error: BaseException, node: BoundNode, given: Mapping[str, Any]) -> Raised:
    """Return where an error was raised that was caught where a node is called, and what the node was ``given``.

    The frames have the lines of the sources, and no values; a file is named from where Python finds modules.
    """
    caller = error.__traceback__
    frames = traceback.walk_tb(caller.tb_next if caller else None)
    stack = traceback.StackSummary.extract(frames, limit=-MOST_FRAMES)
    for frame in stack:
        frame.filename = _place(frame.filename)
    names = [name for name in (*node.literals, *node.links) if name in given][:MOST_INPUTS]
    return Raised(
        tuple(shortened(text, LONGEST_FRAME) for text in stack.format()),
        {shortened(name, LONGEST_VALUE): _texts(name, given[name], node.spec.input_is_list) for name in names},
    )


def _place(file: str) -> str:
    """Return a source file without what the machine's folders are called: as modules are named, or its last parts."""
    path = PurePath(file)
    roots = [root for root in sys.path if root and path.is_relative_to(root)]
    if roots:
        return path.relative_to(max(roots, key=len)).as_posix()
    return PurePath(*path.parts[-3:]).as_posix()


def _texts(name: str, value: Any, is_list: bool) -> tuple[str, ...]:
    """Return the values of an input as short texts."""
    if SECRET.search(name):
        return ("(not told)",)
    values = value if is_list and value is not None else [value]  # a lazy input that was not asked for is None
    return tuple(map(_text, values[:MOST_VALUES]))


def _text(value: Any) -> str:
    """Return a value as a short text. Of what is no number or text, its type and size: nothing of it is computed."""
    if isinstance(value, str):
        return shortened(LOGIN.sub("***@", value[:LONGEST_TEXT]), LONGEST_VALUE)
    if value is None or isinstance(value, bool | int | float):
        return shortened(value, LONGEST_VALUE)
    kind = type(value).__name__
    try:
        if isinstance(value, list | tuple | dict | set):
            return f"{kind} of {len(value)}"
        return f"{kind} {shortened(list(value.shape))}" if hasattr(type(value), "shape") else kind
    except Exception:  # code of packs and of libraries may raise here, and must not take the place of the failure
        return kind
