"""What a foreign node gets for a value of ours, and the way back."""

from typing import Any


def to_foreign(type_name: str, value: Any) -> Any:
    """Return what a foreign node gets for a value on a socket."""
    return value


def from_foreign(type_name: str, value: Any) -> Any:
    """Return the value of ours for what a foreign node gave."""
    return value
