"""Read a node's schema off its function's signature, and refuse what can't be one with a sentence that helps."""

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal, Union, Unpack, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from engine.context import Context
from engine.errors import DefinitionError
from engine.schema import (
    NO_DEFAULT,
    Block,
    Effort,
    Expanded,
    FileChoices,
    Hidden,
    Lazy,
    Mentions,
    NodeSpec,
    OptionalInput,
    Port,
    Resource,
    Shown,
    Slot,
    Widget,
)
from engine.types import Socket
from engine.values import wire_name

WIDGETS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}
KINDS: dict[str, Any] = {"INT": int, "FLOAT": (int, float), "STRING": str, "BOOLEAN": bool, "COMBO": str, "LIST": list}
FLAGS = frozenset({"deprecated", "experimental", "dev_only", "api_node"})
"""What an editor may be told about a node type, as its clients call it."""


def read_signature(function: Callable[..., Any], *, type: str, version: int | str, **facts: Any) -> NodeSpec:
    """Return the schema of a node function.

    Raises:
        DefinitionError: a type hint is missing or unknown, a default does not fit its bounds or choices, ...
    """
    where = f"{type} ({function.__module__}.{function.__qualname__})"
    hints = _hints(where, function)
    ports: list[Port] = []
    hidden: dict[str, Hidden] = {}
    context = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD and get_origin(hints.get(parameter.name)) is Unpack:
            ports += _spread(where, hints[parameter.name], facts["input_is_list"])
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DefinitionError(f"{where}: *{parameter.name} can't be an input.", hint="Name each input.")
        if parameter.name not in hints:
            raise DefinitionError(
                f"{where}: no type hint for {parameter.name!r}.", hint=f"Write {parameter.name}: int, Image, ..."
            )
        hint = hints[parameter.name]
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        token = next((mark for mark in marks if isinstance(mark, Hidden)), None)
        if hint is Context:
            context = parameter.name
        elif token:
            _check_hidden(where, parameter.name, token)
            hidden[parameter.name] = token
        else:
            default = NO_DEFAULT if parameter.default is parameter.empty else parameter.default
            ports.append(_port(where, parameter.name, default, hint, facts["input_is_list"]))
    if "return" not in hints:
        raise DefinitionError(f"{where}: the return type is missing.", hint="Write -> Image, or -> None.")
    if not ((isinstance(version, int) and version > 0) or (isinstance(version, str) and version)):
        raise DefinitionError(f"{where}: version is {version!r}.", hint="Write a whole number from 1 on.")
    if facts["foreign"] and not isinstance(version, str):
        raise DefinitionError(
            f"{where}: a node of the pack {facts['foreign']!r} has the version {version!r}.",
            expected="a text",
            hint="Write a hash of the pack's sources.",
        )
    spec = NodeSpec(
        type=type,
        version=version,
        function=function,
        description=inspect.getdoc(function) or "",
        inputs=tuple(ports),
        outputs=_outputs(where, hints["return"]),
        hidden=hidden,
        context=context,
        is_async=inspect.iscoroutinefunction(function),
        ports={port.name: port for port in ports},
        files={port.name: port.files for port in ports if port.files},
        **facts,
    )
    _check_choices(where, spec)
    _check_hooks(where, spec)
    return spec


def _hints(where: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise DefinitionError(
            f"{where}: a type hint can't be read: {error}.", hint="Import the type at the top of its module."
        ) from error


def _check_hidden(where: str, name: str, hidden: Hidden) -> None:
    if hidden.in_key and hidden.token != "UNIQUE_ID":
        raise DefinitionError(
            f"{where}: {name!r} can't be in the key: only the unique id can.",
            got=hidden.token,
            expected="UNIQUE_ID",
            hint="Pass pure=False for a node whose result depends on the whole workflow.",
        )


def _check_choices(where: str, spec: NodeSpec) -> None:
    if spec.resource not in get_args(Resource):
        raise DefinitionError(
            f"{where}: there is no resource {spec.resource!r}.", expected=get_args(Resource), hint="Name one of these."
        )
    unknown = sorted(spec.flags.keys() - FLAGS)
    if unknown:
        raise DefinitionError(
            f"{where}: {unknown[0]!r} is neither an option of a node nor a flag for editors.",
            expected=sorted(FLAGS),
            hint="Check its spelling.",
        )


def _check_hooks(where: str, spec: NodeSpec) -> None:
    for title, hook in (("lazy", spec.lazy), ("fingerprint", spec.fingerprint)):
        for parameter in inspect.signature(hook).parameters.values() if hook else ():
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in spec.ports:
                raise DefinitionError(
                    f"{where}: its {title} function takes {parameter.name!r}, which is no input.",
                    expected=list(spec.ports),
                    hint="Name inputs of the node only.",
                )
    lazy = [port.name for port in spec.inputs if port.lazy]
    if spec.lazy and not lazy:
        raise DefinitionError(
            f"{where}: a lazy function is given, and no input is lazy.",
            hint="Write Annotated[..., Lazy()] at the inputs that may not be needed.",
        )
    if lazy and not spec.lazy:
        raise DefinitionError(
            f"{where}: {lazy[0]!r} is lazy, and nothing says when it is needed.",
            hint="Pass lazy=function; it gets the inputs known so far and returns the names it still needs.",
        )
    for name in spec.validate:
        if name not in spec.ports:
            raise DefinitionError(
                f"{where}: validate names {name!r}, which is no input.",
                expected=list(spec.ports),
                hint="Name an input.",
            )


def _spread(where: str, hint: Any, as_list: bool) -> Iterator[Port]:
    """Yield the inputs of ``**inputs: Unpack[Inputs]``, a TypedDict: for names that no parameter can have.

    Their defaults are those of ``Field``.
    """
    (inputs,) = get_args(hint)
    for name, kind in typing.get_type_hints(inputs, include_extras=True).items():
        fields = [mark for mark in _split(kind)[1] if isinstance(mark, FieldInfo) and not mark.is_required()]
        yield _port(where, name, fields[0].default if fields else NO_DEFAULT, kind, as_list)


def _port(where: str, name: str, default: Any, hint: Any, as_list: bool) -> Port:
    base, marks = _split(hint)
    if as_list:
        base, nullable_list = _without_none(base)
        if get_origin(base) is not list:
            raise DefinitionError(
                f"{where}: {name!r} is not a list, and the node takes lists.", hint=f"Write {name}: list[...]."
            )
        base, more = _split(get_args(base)[0])
        marks = (*marks, *more)
    base, nullable = _without_none(base)
    nullable = nullable or (as_list and nullable_list)
    base, more = _split(base)
    marks = (*marks, *more)
    kind, choices = _kind(where, name, base, marks)
    bounds = [item for mark in marks if isinstance(mark, FieldInfo) for item in mark.metadata]
    _check_bounds(where, name, kind, bounds)
    options: dict[str, Any] = {}
    for mark in marks:
        if isinstance(mark, Widget):
            options |= mark.options
        if isinstance(mark, FieldInfo) and mark.description:
            options["tooltip"] = mark.description
    if as_list and isinstance(default, list) and len(default) == 1:
        (default,) = default
    optional = nullable or any(isinstance(mark, OptionalInput) for mark in marks)
    if optional and default is NO_DEFAULT:
        raise DefinitionError(
            f"{where}: {name!r} may be left out and has no default.", hint=f"Write {name}: ... = None."
        )
    port = Port(
        name=name,
        type=kind,
        default=default,
        required=not optional,
        minimum=_bound(bounds, kind, lower=True),
        maximum=_bound(bounds, kind, lower=False),
        choices=choices,
        lazy=any(isinstance(mark, Lazy) for mark in marks),
        mentions=next((mark for mark in marks if isinstance(mark, Mentions)), None),
        effort=any(isinstance(mark, Effort) for mark in marks),
        options=options,
    )
    _check_default(where, port)
    # A default is written as a literal would be cast, so that leaving it out and giving it are one key.
    return replace(port, default=float(default)) if kind == "FLOAT" and isinstance(default, int) else port


def _split(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take ``Annotated[X, ...]`` apart. A hint without marks is itself."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        return base, tuple(marks)
    return hint, ()


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return (Union[tuple(rest)] if len(rest) > 1 else rest[0]), True  # noqa: UP007
    return hint, False


def _kind(where: str, name: str, base: Any, marks: tuple[Any, ...]) -> tuple[str, Any]:
    """Return the type's name and its choices."""
    for mark in marks:
        if isinstance(mark, Socket):
            return mark.name, None
        if isinstance(mark, FileChoices):
            return "COMBO", mark
    if get_origin(base) is Literal:
        if not all(isinstance(choice, str) for choice in get_args(base)):
            raise DefinitionError(
                f"{where}: a choice of {name!r} is no text.", got=get_args(base), hint='Write Literal["1", "2"].'
            )
        return "COMBO", get_args(base)
    if base in WIDGETS:
        return WIDGETS[base], None
    if base is list or get_origin(base) is list:
        return "LIST", None
    if get_origin(base) in (Union, types.UnionType):
        return ",".join(_kind(where, name, *_split(part))[0] for part in get_args(base)), None
    if (wire := wire_name(base)) is not None:
        return wire, None
    raise DefinitionError(
        f"{where}: {name!r} has a type that is neither a widget nor a socket.",
        got=base,
        expected="int, float, str, bool, Literal[...], a @wire class or Annotated[..., Socket(NAME)]",
    )


def _check_bounds(where: str, name: str, kind: str, bounds: list[Any]) -> None:
    known = {"INT": (Ge, Gt, Le, Lt), "FLOAT": (Ge, Le)}.get(kind, ())
    for item in bounds:
        if not isinstance(item, known):
            raise DefinitionError(
                f"{where}: {name!r} is {kind} and can't be bound by {item}.",
                expected=[each.__name__.lower() for each in known],
                hint="Use ge and le (for whole numbers gt and lt too), or a validate function.",
            )


def _bound(bounds: list[Any], kind: str, *, lower: bool) -> float | None:
    """Return the smallest or largest value that is allowed. An open bound of an INT is one further in."""
    closed, opened, attribute, step = (Ge, Gt, "ge", 1) if lower else (Le, Lt, "le", -1)
    for item in bounds:
        if isinstance(item, closed):
            return cast(float, getattr(item, attribute))
        if isinstance(item, opened) and kind == "INT":
            return cast(float, getattr(item, attribute.replace("e", "t"))) + step
    return None


def _check_default(where: str, port: Port) -> None:
    value = port.default
    if value is NO_DEFAULT or (value is None and not port.required):
        return
    kind = KINDS.get(port.type)
    wrong = kind is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool))
    if value is None or wrong or (isinstance(value, float) and not math.isfinite(value)):
        raise DefinitionError(
            f"{where}: the default of {port.name!r} is no {port.type}.",
            got=repr(value),
            hint="Give it a default of its type; an input that may be left out is written int | None = None.",
        )
    if isinstance(port.choices, tuple) and value not in port.choices:
        raise DefinitionError(
            f"{where}: the default of {port.name!r} is not a choice.", got=value, expected=port.choices
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = port.minimum is not None and value < port.minimum
        if low or (port.maximum is not None and value > port.maximum):
            raise DefinitionError(
                f"{where}: the default of {port.name!r} is out of bounds.",
                got=value,
                expected=f"{port.minimum} to {port.maximum}",
            )


def _outputs(where: str, hint: Any) -> tuple[Slot, ...]:
    """Return the output slots of a return annotation."""
    if get_origin(hint) in (Shown, Expanded):
        hint = get_args(hint)[0]
    hint = _without_alternatives(hint)
    if hint is None or hint is type(None):
        return ()
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = typing.get_type_hints(hint, include_extras=True)
        return tuple(_slot(where, name, fields[name]) for name in hint._fields)
    return (_slot(where, None, hint),)


def _without_alternatives(hint: Any) -> Any:
    """Take what a node may return instead of its outputs, a Block or a graph, out of ``X | Block | Expanded[X]``."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    rest = [part for part in get_args(hint) if part is not Block and get_origin(part) is not Expanded]
    return Union[tuple(rest)] if rest else None  # noqa: UP007


def _slot(where: str, name: str | None, hint: Any) -> Slot:
    base, marks = _split(hint)
    is_list = get_origin(base) is list
    if is_list:
        base, marks = _split(get_args(base)[0])
    kind, _ = _kind(where, name or "return", _without_none(base)[0], marks)
    return Slot(name or kind, kind, is_list)
