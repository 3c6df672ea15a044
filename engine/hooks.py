"""The functions beside a node's own: ``lazy`` and ``fingerprint``."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any


def call_hook(hook: Callable[..., Any], known: Mapping[str, Any]) -> Any:
    """Call a hook with the inputs that it names, None for those that are not known; with ``**`` with all known ones."""
    parameters = signature(hook).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return hook(**known)
    return hook(**{name: known.get(name) for name in parameters})
