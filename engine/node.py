"""Nodes are typed functions. Their signature is the schema.

>>> registry = Registry()
>>> @registry.node("Add", category="math")
... def add(a: int, b: Annotated[int, Field(ge=0)] = 1) -> int:
...     \"\"\"Add two numbers.\"\"\"
...     return a + b
>>> [port.name for port in registry["Add"].inputs]
['a', 'b']

The decorator returns the function unchanged, so a test calls it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import Field

from engine.errors import DefinitionError
from engine.schema import (
    NO_DEFAULT,
    Artifact,
    Block,
    Effort,
    Expanded,
    Files,
    Hidden,
    InputFile,
    InputFolder,
    Lazy,
    LinkTo,
    Mentions,
    ModelFolder,
    NodeSpec,
    OptionalInput,
    Port,
    Resource,
    Shown,
    Slot,
    Widget,
)
from engine.signature import read_signature

if TYPE_CHECKING:
    from engine.binding import BoundNode
    from engine.errors import Fault
    from engine.folders import Folders

__all__ = [
    "NO_DEFAULT", "Annotated", "Artifact", "Block", "Effort", "Expanded", "Field", "Files", "Hidden", "InputFile",
    "InputFolder", "Lazy", "LinkTo", "Mentions", "ModelFolder", "NodeSpec", "OptionalInput", "Port", "Registry",
    "Shown", "Slot", "Widget", "node", "registry",
]  # fmt: skip

Check: TypeAlias = "Callable[[Mapping[str, BoundNode], Folders], Iterable[Fault]]"
"""Says what is wrong with the nodes of a graph together, which none of them can tell by itself."""

C = TypeVar("C", bound=Check)
F = TypeVar("F", bound=Callable[..., Any])


class Registry:
    """The node types that a workflow may use."""

    def __init__(self) -> None:
        self.specs: dict[str, NodeSpec] = {}
        self.checks: list[Check] = []

    def __getitem__(self, type: str) -> NodeSpec:
        return self.specs[type]

    def __contains__(self, type: object) -> bool:
        return type in self.specs

    def __iter__(self) -> Iterator[NodeSpec]:
        return iter(self.specs.values())

    def add(self, spec: NodeSpec) -> None:
        """Register a node type. A name that is taken is a mistake in the definition."""
        if spec.type in self.specs:
            raise DefinitionError(
                f"The node type {spec.type!r} is defined twice.", hint="Give one of the two another name."
            )
        self.specs[spec.type] = spec

    def check(self, function: C) -> C:
        """Have a function look at the nodes of every graph before it runs. Returns it unchanged."""
        self.checks.append(function)
        return function

    def node(
        self,
        type: str,
        *,
        category: str = "",
        version: int | str = 1,
        display_name: str | None = None,
        output_node: bool = False,
        pure: bool = True,
        resource: Resource = "cpu",
        input_is_list: bool = False,
        numeric: bool = False,
        lazy: Callable[..., list[str]] | None = None,
        fingerprint: Callable[..., object] | None = None,
        validate: Mapping[str, Callable[..., str | None]] | None = None,
        foreign: str = "",
        **flags: bool,
    ) -> Callable[[F], F]:
        """Declare a function as a node of this type.

        ``version`` goes up when the same inputs give another result. ``numeric`` says that the result depends on
        device, precision and torch version. ``lazy`` gets the inputs known so far and names those it still needs;
        ``fingerprint`` gets the literals and returns what they don't show; ``validate`` maps an input to a function
        that returns what is wrong with its value, or None, or raises LoomisError: a literal is seen before anything
        runs, a linked value when the node is called. ``foreign`` names the pack of a node that is not ours: it gets
        copies of its inputs. ``flags`` are for editors (``deprecated=True``).
        """

        def declare(function: F) -> F:
            self.add(
                read_signature(
                    function,
                    type=type,
                    category=category,
                    version=version,
                    display_name=display_name or type,
                    output_node=output_node,
                    pure=pure,
                    resource=resource,
                    input_is_list=input_is_list,
                    numeric=numeric,
                    lazy=lazy,
                    fingerprint=fingerprint,
                    validate=validate or {},
                    foreign=foreign,
                    flags=flags,
                )
            )
            return function

        return declare


registry = Registry()
node = registry.node
