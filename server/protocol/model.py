"""What every message is made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

NAME_LENGTH = 1_000
"""Characters of an id, a node type or the name of an input."""

Name = Annotated[str, Field(max_length=NAME_LENGTH)]
Names = Annotated[list[Name], Field(max_length=10_000)]
RequestId = Annotated[int, Field(ge=0, lt=2**53)] | Annotated[str, Field(max_length=100)]
"""The number or text that a client gives a command, and finds in the reply."""

Json = dict[str, Any]
"""A JSON object of any content, such as a workflow."""


class Part(BaseModel):
    """A part of a message from the server. Clients ignore fields that they don't know."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, defer_build=True, json_schema_serialization_defaults_required=True
    )


class Asked(BaseModel):
    """A part of a message from a client. Unknown fields are refused, so that a slip of the pen is heard."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
