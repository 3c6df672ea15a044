"""The functions beside a node's own: ``lazy``, ``fingerprint`` and ``validate``."""

from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature
from typing import Any

from engine.errors import InputError, LoomisError, shortened
from engine.schema import NodeSpec


def call_hook(hook: Callable[..., Any], known: Mapping[str, Any]) -> Any:
    """Call a hook with the inputs that it names, None for those that are not known; with ``**`` with all known ones."""
    parameters = signature(hook).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return hook(**known)
    return hook(**{name: known.get(name) for name in parameters})


def check_linked(spec: NodeSpec, linked: Iterable[str], given: Mapping[str, Any]) -> None:
    """Let a node's ``validate`` functions see the values that came over links. Literals were seen before the run.

    Raises:
        LoomisError: a value is not what the node takes; ``input`` names where it came in.
    """
    for name, hook in spec.validate.items() if spec.validate else ():
        if name not in linked:
            continue
        for value in given[name] if spec.input_is_list else (given[name],):
            try:
                wrong = hook(value)
            except LoomisError as error:
                error.input = error.input or name
                raise
            if wrong is not None:
                raise InputError(
                    f"Input {name}: {wrong}", input=name, got=shortened(value), hint="Link it to another value."
                )
