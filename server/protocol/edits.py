"""What an editor may do to the graph of a session. A batch of edits is done whole or not at all."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.protocol.model import Asked, Name


class SetInput(Asked):
    """Give an input a value in the place of what it had, link or value."""

    op: Literal["set"]
    node: Name
    input: Name
    value: Any


class UnsetInput(Asked):
    """Take the value of an input away: its default holds, or it is missing."""

    op: Literal["unset"]
    node: Name
    input: Name


class Connect(Asked):
    """Link an input to an output, by its number or its name."""

    op: Literal["connect"]
    node: Name
    input: Name
    source: Name
    output: Annotated[int, Field(ge=0, lt=2**31)] | Name = 0


class Disconnect(Asked):
    """Take the link of an input away."""

    op: Literal["disconnect"]
    node: Name
    input: Name


Place = Annotated[
    list[Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]], Field(min_length=2, max_length=2)
]
"""Where the upper left corner of a node is in the editor, in pixels: to the right, and down."""


class AddNode(Asked):
    """Add a node. Without an id it gets the next free number; the reply has it under ``added``."""

    op: Literal["add"]
    class_type: Name
    node: Name | None = None
    inputs: dict[Name, Any] = Field(default_factory=dict)
    title: Name | None = None
    pos: Place | None = None


class RemoveNode(Asked):
    """Remove a node and every link to it."""

    op: Literal["remove"]
    node: Name


class ReplaceNode(Asked):
    """Put another node in the place of one. Links to it stay.

    Without ``inputs`` it keeps those of the old node that the new type has.
    """

    op: Literal["replace"]
    node: Name
    class_type: Name
    inputs: dict[Name, Any] | None = None
    title: Name | None = None


class DescribeNode(Asked):
    """Say how a node is called and where it is in the editor; what is left out stays, an empty title takes it away.

    The graph keeps it in ``_meta``. It means nothing to a run: no state changes, and a run stays current.
    """

    op: Literal["describe"]
    node: Name
    title: Name | None = None
    pos: Place | None = None


Edit = Annotated[
    SetInput | UnsetInput | Connect | Disconnect | AddNode | RemoveNode | ReplaceNode | DescribeNode,
    Field(discriminator="op"),
]
