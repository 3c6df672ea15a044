"""Our nodes as classes, as foreign code calls, subclasses and looks at them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from engine.errors import InputError, NodeFailure
from engine.object_info import object_info
from engine.schema import NodeSpec, Shown
from nodes import vocabulary
from nodes.packs import current
from nodes.packs.names.methods import METHODS, ORDERS
from nodes.packs.names.saving import save_artifacts, workflow_texts
from nodes.packs.objects import from_foreign, to_foreign

TEXTS = ("prompt", "extra_pnginfo")
"""What classes that save take besides their inputs."""

LISTS = {"upscale_methods": "upscale_method", "crop_methods": "crop"}
"""Lists that packs read off classes, and the inputs that they are the choices of."""


@cache
def node_class(type: str) -> Any:
    """Return the class for a node type of ours.

    It has what classic classes declare, its method under the name that ComfyUI's has, and ``execute`` of newer ones.
    Methods take the node's inputs by name or in order, foreign objects among them, and return a tuple of outputs, or
    a dict with ``ui`` where the node shows something. Files are written.
    """
    spec = vocabulary()[type]
    method = METHODS.get(type, "execute")
    members: dict[str, Any] = {
        "__doc__": spec.description,
        "__module__": "nodes",
        "loomis_spec": spec,
        "INPUT_TYPES": classmethod(lambda cls: input_types(cls.loomis_spec)),
        "RETURN_TYPES": tuple(slot.type for slot in spec.outputs),
        "RETURN_NAMES": tuple(slot.name for slot in spec.outputs),
        "OUTPUT_IS_LIST": tuple(slot.is_list for slot in spec.outputs),
        "OUTPUT_NODE": spec.output_node,
        "INPUT_IS_LIST": spec.input_is_list,
        "FUNCTION": method,
        "CATEGORY": spec.category,
        "DESCRIPTION": spec.description,
        "execute": classmethod(lambda cls, *args, **kwargs: call(spec, args, kwargs)),
    }
    for name, input in LISTS.items():
        choices = spec.ports[input].choices if input in spec.ports else None
        if isinstance(choices, tuple):
            members[name] = list(choices)
    if method != "execute":
        members[method] = lambda self, *args, **kwargs: call(spec, args, kwargs)
    return _made(type, members)


def _made(name: str, members: dict[str, Any]) -> Any:
    return type(name, (), members)


def input_types(spec: NodeSpec) -> dict[str, dict[str, Any]]:
    """Return the inputs of a node as ``INPUT_TYPES`` has them."""
    declared = object_info([spec], current.folders())[spec.type]["input"]
    return {
        section: {name: tuple(each) if isinstance(each, list) else each for name, each in ports.items()}
        for section, ports in declared.items()
    }


def call(spec: NodeSpec, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a node's function with foreign objects; return foreign objects.

    Raises:
        InputError: an argument is no input.
        NodeFailure: the node needs the run, and no foreign node runs.
    """
    given = _named(spec, args, kwargs)
    texts = workflow_texts(*(given.pop(name, None) for name in TEXTS))
    function: Callable[..., Any] = spec.function
    result = function(**_converted(spec, given), **_from_the_run(spec))
    if isinstance(result, Shown):
        shown = {**save_artifacts(result.files, texts), **result.notes}
        return {"ui": shown, "result": _outputs(spec, result.result)}
    return _outputs(spec, result)


def _named(spec: NodeSpec, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    first = ORDERS.get(spec.type, ())
    order = [*first, *(port.name for port in spec.inputs if port.name not in first), *TEXTS]
    given = {**dict(zip(order, args, strict=False)), **kwargs}
    unknown = [name for name in given if name not in order]
    if unknown or len(args) > len(order):
        raise InputError(
            f"{spec.type} was called with something that is no input.",
            got=unknown or f"{len(args)} arguments",
            expected=order,
            hint="Report this to the makers of the pack.",
        )
    return given


def _converted(spec: NodeSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        type = spec.ports[name].type
        found[name] = [from_foreign(type, each) for each in value] if spec.input_is_list else from_foreign(type, value)
    return found


def _from_the_run(spec: NodeSpec) -> dict[str, Any]:
    """Return what a function takes besides its inputs."""
    context = current.context()
    if context is None and (spec.context or spec.hidden):
        raise NodeFailure(
            f"A pack calls {spec.type} while none of its nodes runs.",
            got=spec.type,
            expected="a call from within a node",
            hint="Report this to the makers of the pack.",
        )
    found: dict[str, Any] = dict.fromkeys(spec.hidden, context.node if context else "")
    return {**found, spec.context: context} if spec.context else found


def _outputs(spec: NodeSpec, result: Any) -> tuple[Any, ...]:
    values = (
        (result,) if len(spec.outputs) == 1 and not hasattr(result, "_fields") else () if result is None else result
    )
    return tuple(
        [to_foreign(slot.type, each) for each in value] if slot.is_list else to_foreign(slot.type, value)
        for slot, value in zip(spec.outputs, values, strict=True)
    )
