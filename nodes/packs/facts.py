"""What is known of packs and their nodes without importing them: plain data, as it is kept on disk."""

from dataclasses import field
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

Choice: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class InputFacts:
    """One input: a type, or choices; its options as an editor expects them.

    ``folder`` is the kind of models whose files the choices are; ``below`` are the folders of files that some of them
    name. ``hidden`` is what the node declares of an input that no editor shows.
    """

    name: str
    type: str
    required: bool
    choices: tuple[Choice, ...] | None = None
    folder: str | None = None
    below: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    hidden: Any = None


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One output."""

    name: str
    type: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node type.

    ``hidden`` maps parameters to tokens. ``lazy``, ``changes`` and ``checks`` say which of the functions beside its own
    it has: for lazy inputs, for what its inputs don't show, and for what is wrong with them; ``checked`` are the inputs
    that this one takes (None for all), ``checks_types`` that it judges the types of links. ``more`` says whether it
    takes inputs that it does not declare: "links", or "all".
    """

    type: str
    title: str
    category: str
    description: str
    inputs: tuple[InputFacts, ...]
    outputs: tuple[OutputFacts, ...]
    hidden: dict[str, str] = field(default_factory=dict)
    output_node: bool = False
    input_is_list: bool = False
    is_async: bool = False
    is_unlike: bool = False
    lazy: bool = False
    changes: bool = False
    checks: bool = False
    checked: tuple[str, ...] | None = None
    checks_types: bool = False
    more: str = ""
    flags: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PackFacts:
    """One pack, as its sources with this digest make it. ``problems`` are what can't be used of it, one line each.

    ``web`` are the folders of files for browsers by name, ``routes`` the methods and paths that it answers;
    ``handles_prompts`` says that it sees each prompt before it is checked.
    ``missing`` is a Python module that it needs and that is not installed. ``watched`` are the folders that it listed,
    with what tells that they changed.
    """

    name: str
    digest: str
    nodes: tuple[NodeFacts, ...] = ()
    problems: tuple[str, ...] = ()
    web: dict[str, str] = field(default_factory=dict)
    routes: tuple[tuple[str, str], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    missing: str | None = None
    watched: dict[str, str] = field(default_factory=dict)
    handles_prompts: bool = False


FORM = 3
"""Goes up when more is known of packs: what was kept before is found out anew."""

PACK = TypeAdapter(PackFacts)
