"""Describe the node classes of a pack as plain data: what ``INPUT_TYPES`` and its like say."""

import inspect
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from engine.folders import Folders
from nodes.packs import current
from nodes.packs.facts import InputFacts, NodeFacts, OutputFacts, PackFacts
from nodes.packs.find import Pack
from nodes.packs.load import LoadedPack, PackFailed, failed, load_pack
from nodes.packs.named import Named
from nodes.packs.names.server import PromptServer
from nodes.packs.routes import routes_of
from nodes.packs.watch import Watch

FLAGS = {
    "deprecated": "DEPRECATED",
    "experimental": "EXPERIMENTAL",
    "api_node": "API_NODE",
    "dev_only": "DEV_ONLY",
    "search_aliases": "SEARCH_ALIASES",
}
MOST_TOLD = 3
"""Nodes that can't be used of which is said why."""

TOKENS = frozenset({
    "PROMPT", "DYNPROMPT", "EXTRA_PNGINFO", "UNIQUE_ID", "AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG",
    "COMFY_USAGE_SOURCE", "EXECUTION_LIST",
})  # fmt: skip
"""What hidden inputs may be. Others are inputs that no editor shows, given by graphs that nodes make, or facts for
their scripts."""

UNLIKELY = "an input that no node declares"
"""A name that only a mapping contains that contains every name."""


def describe_pack(pack: Pack, folders: Folders) -> PackFacts:
    """Import a pack and return what it has. What can't be described is a problem, and left out."""
    with Watch(pack, folders) as watch:
        try:
            loaded = load_pack(pack)
        except PackFailed as error:
            return PackFacts(pack.name, pack.digest, problems=(error.message,), missing=error.missing)
        nodes, problems = _describe_nodes(loaded)
    return PackFacts(
        pack.name,
        pack.digest,
        Named(folders).nodes(nodes),
        problems,
        {name: str(folder) for name, folder in loaded.web.items()},
        tuple(sorted({(route.method, route.path) for route in routes_of(pack.name)})),
        {each.prefix: each.folder for each in PromptServer.instance.routes.files if each.pack == pack.name},
        watched=watch.states(),
        handles_prompts=any(name == pack.name for name, _ in PromptServer.instance.prompt_handlers),
    )


def _describe_nodes(loaded: LoadedPack) -> tuple[tuple[NodeFacts, ...], tuple[str, ...]]:
    nodes: list[NodeFacts] = []
    problems: list[str] = []
    for type, cls in loaded.classes.items():
        try:
            with current.running(loaded.pack.name, type):
                nodes.append(describe_node(str(type), cls, str(loaded.titles.get(type, type))))
        except Exception as error:
            problems.append(f"{type} ({failed(loaded.pack, error).message.partition(': ')[2]})")
    if not problems:
        return tuple(nodes), ()
    some = "; ".join(problems[:MOST_TOLD]) + ("; ..." if len(problems) > MOST_TOLD else "")
    return tuple(nodes), (f"{len(problems)} of the nodes of {loaded.pack.name} can't be used: {some}",)


def describe_node(type: str, cls: Any, title: str) -> NodeFacts:
    """Return what a node class declares."""
    declared = cls.INPUT_TYPES()
    function = getattr(cls, cls.FUNCTION)
    lists = tuple(getattr(cls, "OUTPUT_IS_LIST", ()) or ())
    names = tuple(getattr(cls, "RETURN_NAMES", ()) or ())
    types = tuple(cls.RETURN_TYPES)
    inputs = [
        describe_input(name, each, section == "required")
        for section in ("required", "optional")
        for name, each in dict(declared.get(section) or {}).items()
    ]
    hidden = {name: token_name(token) for name, token in dict(declared.get("hidden") or {}).items()}
    inputs += [
        replace(describe_input(name, each, False), hidden=plain(each) or "")
        for name, each in dict(declared.get("hidden") or {}).items()
        if hidden[name] not in TOKENS
    ]
    checks = getattr(cls, "VALIDATE_INPUTS", None)
    named = parameters(checks) if checks else []
    return NodeFacts(
        type=type,
        title=title,
        category=str(getattr(cls, "CATEGORY", "") or "sd"),
        description=inspect.cleandoc(str(getattr(cls, "DESCRIPTION", "") or "")),
        inputs=tuple(inputs),
        outputs=tuple(
            OutputFacts(
                str(names[at]) if at < len(names) else type_name(each),
                type_name(each),
                bool(lists[at]) if at < len(lists) else False,
            )
            for at, each in enumerate(types)
        ),
        hidden={name: token for name, token in hidden.items() if token in TOKENS},
        output_node=bool(getattr(cls, "OUTPUT_NODE", False)),
        input_is_list=bool(getattr(cls, "INPUT_IS_LIST", False)),
        is_async=inspect.iscoroutinefunction(function),
        is_unlike=bool(getattr(cls, "NOT_IDEMPOTENT", False)),
        lazy=hasattr(cls, "check_lazy_status") and any(each.options.get("lazy") for each in inputs),
        changes=hasattr(cls, "IS_CHANGED"),
        checks=checks is not None,
        checked=None if takes_all(checks) else tuple(name for name in named if name != "input_types"),
        checks_types="input_types" in named,
        more=_more(declared, function),
        flags={flag: plain(getattr(cls, name)) for flag, name in FLAGS.items() if getattr(cls, name, None)},
    )


def describe_input(name: str, declared: Any, required: bool) -> InputFacts:
    """Return what an entry of ``INPUT_TYPES`` says: ``(type,)`` or ``(type, options)``; a list of choices is a type."""
    if not isinstance(declared, tuple | list):
        declared = (declared,)
    kind = declared[0]
    options = dict(declared[1]) if len(declared) > 1 and isinstance(declared[1], Mapping) else {}
    if kind == "COMBO" and isinstance(options.get("options"), list | tuple):
        kind = options.pop("options")
    options = {str(key): plain(value) for key, value in options.items()}
    if is_choices(kind):
        return InputFacts(str(name), "COMBO", required, choices(kind), options=options)
    return InputFacts(str(name), type_name(kind), required, options=options)


def is_choices(kind: Any) -> bool:
    """Whether what stands for a type is a list of choices."""
    return not isinstance(kind, str) and isinstance(kind, Iterable)


def choices(found: Iterable[Any]) -> tuple[str | int | float | bool, ...]:
    """Return choices as plain values, each once."""
    made = [each if type(each) in (str, int, float, bool) else str(each) for each in found]
    return tuple({(type(each), each): each for each in made}.values())


def type_name(kind: Any) -> str:
    """Return the name of a socket. One that says that it is unlike nothing, as wildcards do, is ``*``."""
    if is_choices(kind):
        return "COMBO"
    name = str(kind)
    return "*" if isinstance(kind, str) and not kind != UNLIKELY else name  # noqa: SIM202


def token_name(token: Any) -> str:
    """Return the name of a hidden input's token."""
    if isinstance(token, tuple | list):
        token = token[0] if token else ""
    return str(getattr(token, "value", token))


def _more(declared: Mapping[str, Any], function: Any) -> str:
    """Say which inputs the class takes besides those that it declares."""
    optional = declared.get("optional")
    if optional is not None and type(optional) is not dict and UNLIKELY in optional:
        return "all"
    return "links" if takes_all(function) else ""


def parameters(function: Any) -> list[str]:
    """Return the names of a function's parameters, without the class or the object that it belongs to."""
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls", "s")]


def takes_all(function: Any) -> bool:
    """Whether a function takes any name."""
    if function is None:
        return False
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())


def plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON has no form for as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool | int | float | str | None):
        return json.loads(json.dumps(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)
