"""The node class of the newer interface, its schema and what it returns.

A node class has what classic node classes declare, read off its schema, and a method that calls ``execute`` and
returns what they return.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from nodes.packs.names.comfy_api.latest._inputs import DYNAMIC, Input, Output, nested, sections
from nodes.packs.names.comfy_execution.graph import ExecutionBlocker


class Hidden(StrEnum):
    """What a node may ask for that is no input."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"
    api_key_comfy_org = "API_KEY_COMFY_ORG"


class HiddenHolder:
    """The hidden inputs of a call. What was not asked for is None."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class Schema:
    """What a node is. What editors alone read of ``more`` is left out."""

    def __init__(
        self,
        node_id: str,
        display_name: str | None = None,
        category: str = "sd",
        inputs: Sequence[Input] = (),
        outputs: Sequence[Output] = (),
        hidden: Sequence[Hidden] = (),
        description: str = "",
        search_aliases: Sequence[str] = (),
        is_input_list: bool = False,
        is_output_node: bool = False,
        is_deprecated: bool = False,
        is_experimental: bool = False,
        is_dev_only: bool = False,
        is_api_node: bool = False,
        not_idempotent: bool = False,
        enable_expand: bool = False,
        accept_all_inputs: bool = False,
        **more: Any,
    ) -> None:
        self.node_id = node_id
        self.display_name = display_name
        self.category = category
        self.inputs = list(inputs or ())
        self.outputs = list(outputs or ())
        self.hidden = list(hidden or ())
        if is_output_node:
            self.hidden += [each for each in (Hidden.prompt, Hidden.extra_pnginfo) if each not in self.hidden]
        self.description = description
        self.search_aliases = list(search_aliases or ())
        self.is_input_list = is_input_list
        self.is_output_node = is_output_node
        self.is_deprecated = is_deprecated
        self.is_experimental = is_experimental
        self.is_dev_only = is_dev_only
        self.is_api_node = is_api_node
        self.not_idempotent = not_idempotent
        self.enable_expand = enable_expand
        self.accept_all_inputs = accept_all_inputs


class NodeOutput:
    """What ``execute`` returns: a value per output; what is to be shown; a graph; or that consumers must not run."""

    def __init__(
        self, *args: Any, ui: Any = None, expand: dict[str, Any] | None = None, block_execution: str | None = None
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        return self.args or None

    def __getitem__(self, index: int) -> Any:
        return self.args[index]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "NodeOutput":
        """Return what a classic node returns as a dict."""
        result = data.get("result") or ()
        return cls(*result, ui=data.get("ui"), expand=data.get("expand"))

    def as_classic(self) -> Any:
        """Return what a classic node would."""
        if self.block_execution is not None:
            return {"result": ExecutionBlocker(self.block_execution)}
        shown = self.ui.as_dict() if hasattr(self.ui, "as_dict") else self.ui
        parts = {"ui": shown, "result": self.args, "expand": self.expand}
        return {name: part for name, part in parts.items() if part is not None}


class EveryName(dict[str, Any]):
    """Inputs of a node that takes any: it says that it contains each name."""

    def __contains__(self, name: object) -> bool:
        return True


CLASSIC: Mapping[str, Callable[[Schema], Any]] = {
    "RETURN_TYPES": lambda schema: tuple(output.io_type for output in schema.outputs),
    "RETURN_NAMES": lambda schema: tuple(output.name for output in schema.outputs),
    "OUTPUT_IS_LIST": lambda schema: tuple(output.is_output_list for output in schema.outputs),
    "OUTPUT_TOOLTIPS": lambda schema: tuple(output.tooltip for output in schema.outputs),
    "OUTPUT_NODE": lambda schema: schema.is_output_node,
    "INPUT_IS_LIST": lambda schema: schema.is_input_list,
    "CATEGORY": lambda schema: schema.category,
    "DESCRIPTION": lambda schema: schema.description,
    "SEARCH_ALIASES": lambda schema: schema.search_aliases,
    "DEPRECATED": lambda schema: schema.is_deprecated,
    "EXPERIMENTAL": lambda schema: schema.is_experimental,
    "DEV_ONLY": lambda schema: schema.is_dev_only,
    "API_NODE": lambda schema: schema.is_api_node,
    "NOT_IDEMPOTENT": lambda schema: schema.not_idempotent,
    "ACCEPT_ALL_INPUTS": lambda schema: schema.accept_all_inputs,
}
"""What classic classes declare, read off a schema."""


class NodeClass(type):
    """The type of node classes: what classic ones declare is read off their schema."""

    def __getattr__(cls, name: str) -> Any:
        if name in CLASSIC:
            return CLASSIC[name](cls.GET_SCHEMA())
        raise AttributeError(f"{cls.__name__} has no {name}")


class ComfyNode(metaclass=NodeClass):
    """The base of newer nodes. ``execute`` is called on a class of its own for each call, which holds ``hidden``."""

    FUNCTION: str
    hidden = HiddenHolder()

    @classmethod
    def define_schema(cls) -> Schema:
        """Return what the node is."""
        raise NotImplementedError(f"{cls.__name__} does not define its schema.")

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        """Return what the node is."""
        return cls.define_schema()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs as classic nodes do."""
        schema = cls.GET_SCHEMA()
        found: dict[str, Any] = sections(schema.inputs)
        if schema.accept_all_inputs or any(isinstance(each, DYNAMIC) for each in schema.inputs):
            found["optional"] = EveryName(found["optional"])
        return {**found, "hidden": {each.name: each.value for each in schema.hidden}}

    @classmethod
    def check_lazy_status(cls, **kwargs: Any) -> list[str]:
        """Return the inputs that are not there yet."""
        return [name for name, value in kwargs.items() if value is None]

    def __init_subclass__(cls) -> None:
        own = vars(cls)
        if "execute" in own:
            function = getattr(own["execute"], "__func__", own["execute"])
            is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
            cls.FUNCTION = "EXECUTE_NORMALIZED_ASYNC" if is_async else "EXECUTE_NORMALIZED"
            setattr(cls, cls.FUNCTION, classmethod(_normalized(function, is_async)))
        for new, classic in (("validate_inputs", "VALIDATE_INPUTS"), ("fingerprint_inputs", "IS_CHANGED")):
            if new in own:
                setattr(cls, classic, own[new])


def _normalized(function: Callable[..., Any], is_async: bool) -> Any:
    """Return the method that runs a node, with the signature of its ``execute``."""

    def run(cls: Any, **given: Any) -> Any:
        return _classic(_call(cls, given))

    async def run_async(cls: Any, **given: Any) -> Any:
        return _classic(await _call(cls, given))

    return functools.wraps(function)(run_async if is_async else run)


def _call(cls: Any, given: Mapping[str, Any]) -> Any:
    schema = cls.GET_SCHEMA()
    names = {each.name for each in schema.hidden}
    hidden = {name: given.get(name) for name in names}
    if schema.is_input_list:
        hidden = {name: value[0] if isinstance(value, list) else value for name, value in hidden.items()}
    of_call: Any = NodeClass(cls.__name__, (cls,), {"hidden": HiddenHolder(**hidden), "__module__": cls.__module__})
    inputs = {name: value for name, value in given.items() if name not in names}
    return of_call.execute(**nested(schema.inputs, inputs))


def _classic(result: Any) -> Any:
    return result.as_classic() if isinstance(result, NodeOutput) else result
