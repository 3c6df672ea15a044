"""Changes in place: a node must leave its inputs as they are, for other nodes share them.

When one of ours does not, that is an error. A foreign node can't be mended, and what it does through NumPy, or later
with what it kept, nobody sees: it always gets copies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from engine.binding import BoundNode
from engine.errors import InputError
from engine.values import NoByteForm, pack, unpack, wire_name

PLAIN = frozenset({int, float, str, bool, bytes, type(None)})


class ChangedInput(InputError):
    """A node changed an input in place. What other nodes share is not what it was."""

    def __init__(self, node: BoundNode, input: str) -> None:
        super().__init__(
            "The node changed its input in place; other nodes share that value.",
            node=node.id,
            class_type=node.spec.type,
            input=input,
            expected="inputs left as they are",
            hint="Let the node work on a copy (tensor.clone()).",
        )


def versions(given: Mapping[str, Any]) -> list[tuple[str, Any, int]]:
    """Return the tensors among the arguments with the number of in-place changes that each has seen."""
    return [(name, tensor, tensor._version) for name, value in given.items() for tensor in _tensors(value)]


def changed(before: Sequence[tuple[str, Any, int]]) -> list[str]:
    """Return the names of the arguments that were changed since ``versions``."""
    return list(dict.fromkeys(name for name, tensor, version in before if tensor._version != version))


def copied(value: Any) -> Any:
    """Return an equal value that shares nothing with this one but what has no byte form."""
    try:
        return unpack(pack(value).copied())
    except NoByteForm:
        pass
    if type(value) in (list, tuple):
        return type(value)(map(copied, value))
    if type(value) is dict:
        return {name: copied(item) for name, item in value.items()}
    if wire_name(type(value)):
        return replace(value, **{each.name: copied(getattr(value, each.name)) for each in fields(value)})
    return value


def _tensors(value: Any) -> Sequence[Any]:
    if type(value) in PLAIN:
        return ()
    if hasattr(type(value), "is_inference"):
        return () if value.is_inference() else (value,)  # torch counts no changes of tensors made in inference mode
    if is_dataclass(value):
        return [tensor for item in fields(value) for tensor in _tensors(getattr(value, item.name))]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in _tensors(item)]
    return []
