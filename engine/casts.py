"""Literals of a workflow as the types that inputs declare."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

from engine.choices import BadInput, Choices
from engine.errors import shortened
from engine.schema import Port

DEEPEST = 100
"""Levels of lists and objects in a literal."""

PLAIN = frozenset({int, str, bool})
"""What holds no number that is not finite."""


def cast(value: Any, port: Port, choices: "Choices") -> Any:
    """Return a literal as the type that its input declares ("20" is 20 for an INT).

    Raises:
        BadInput: it can't be that type, is NaN, out of range or not a choice.
    """
    check_plain(value)
    kinds = _kinds(port.type)
    if port.any_value and not kinds:
        return _anything(value)
    if len(kinds) > 1:
        return _cast_to_any(value, port, kinds, choices)
    if not kinds:
        raise BadInput(
            "bad_linked_input",
            f"it wants a link to a {port.type}.",
            value,
            f"a link to a {port.type}",
            "Link it to a node.",
        )
    try:
        result = CASTS[kinds[0]](value)
    except (ValueError, TypeError, OverflowError):
        got = "null" if value is None else value
        raise BadInput(
            "invalid_input_type", f"{_shown(value)} is no {port.type}.", got, port.type, _advice(value, port.type)
        ) from None
    check_plain(result)
    if port.choices is not None:
        return choices.check(result, port)
    if port.minimum is not None and result < port.minimum:
        raise BadInput(
            "value_smaller_than_min",
            f"{shortened(result, 60)} is smaller than {port.minimum}.",
            result,
            f"at least {port.minimum}",
            f"Use {port.minimum} or more.",
        )
    if port.maximum is not None and result > port.maximum:
        raise BadInput(
            "value_bigger_than_max",
            f"{shortened(result, 60)} is bigger than {port.maximum}.",
            result,
            f"at most {port.maximum}",
            f"Use {port.maximum} or less.",
        )
    return result


def _shown(value: Any) -> str:
    """Return a value as a workflow file has it, in few characters."""
    if value is None:
        return "null"
    short = shortened(value, 60)
    return repr(short) if isinstance(value, str) else short


def _advice(value: Any, type: str) -> str:
    if value is None and type in ("INT", "FLOAT"):
        return "Give it a number. NaN and Infinity in a file are read as null."
    return f"Give it a value of type {type}."


@lru_cache(4096)
def _kinds(type: str) -> tuple[str, ...]:
    """Return the kinds of literal that an input takes."""
    return tuple(name for name in type.split(",") if name in CASTS)


def _cast_to_any(value: Any, port: Port, kinds: Sequence[str], choices: "Choices") -> Any:
    """Return a literal as one of several types: the one that it has already, else the first that fits."""
    *first, last = sorted(kinds, key=lambda name: name != OWN.get(type(value)))
    for name in first:
        with suppress(BadInput):
            return cast(value, replace(port, type=name), choices)
    return cast(value, replace(port, type=last), choices)


def check_plain(value: Any) -> None:
    """See that every number in a literal is finite, and that it does not nest too deep for its key.

    Raises:
        BadInput: it isn't.
    """
    if type(value) in PLAIN:
        return
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise BadInput(
                "invalid_input_type",
                f"{item} is no number that can be used.",
                value,
                "a finite number",
                "Give it a number.",
            )
        if isinstance(item, list | tuple | dict):
            if depth == DEEPEST:
                raise BadInput(
                    "invalid_input_type", "it nests too deep.", value, f"at most {DEEPEST} levels", "Make it flatter."
                )
            stack += [(part, depth + 1) for part in (item.values() if isinstance(item, dict) else item)]


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise ValueError(value)
    if isinstance(value, bool | int | float):
        return bool(value)
    raise TypeError(value)


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(_anything(value))
    raise TypeError(value)


def _anything(value: Any) -> Any:
    """Return any value but a text with half a character (a lone surrogate), which no file can hold."""
    if isinstance(value, str):
        value.encode()
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str | int | float):
        return int(value)
    raise TypeError(value)


def _number(value: Any) -> float:
    if isinstance(value, str | int | float):
        return float(value)
    raise TypeError(value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise TypeError(value)


CASTS: Mapping[str, Callable[[Any], Any]] = {
    "INT": _integer, "FLOAT": _number, "STRING": _text, "BOOLEAN": _boolean, "COMBO": _text, "LIST": _list,
    "*": _anything,
}  # fmt: skip

OWN: Mapping[type, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN", list: "LIST"}
