"""Parameters that a workflow declares: names of its own for its inputs, with type, default and bounds.

They stand as ``{"parameters": {NAME: DECLARATION}}`` under ``extra.loomis`` of a saved document, where editors keep
it, and under ``loomis`` beside ``prompt`` in an API file: ``{"prompt": {...}, "loomis": {...}}``.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from engine.casts import cast
from engine.choices import Choices
from engine.folders import Folders
from engine.formats.diagnostics import Report
from engine.schema import Port

NAME = re.compile(r"[^\W\d][\w-]*")
TYPES = {"integer": "INT", "number": "FLOAT", "string": "STRING", "boolean": "BOOLEAN", "array": "LIST"}
"""The words of JSON Schema, and the types of inputs."""


class Declaration(BaseModel):
    """One declared parameter.

    ``input`` are the addresses (``NODE.INPUT``) that get the value. What is left out is as the first input has it:
    its type and bounds, and as default the value in the file. Bounds only narrow what the inputs take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: tuple[str, ...] = Field(min_length=1)
    type: Literal["integer", "number", "string", "boolean", "array"] | None = None
    default: Any = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[str | int | float, ...] | None = Field(default=None, min_length=1)
    description: str | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def port(self, port: Port | None) -> Port:
        """Return what the parameter takes, where its first input takes what ``port`` says, or is unknown."""
        base = port or Port(self.input[0], "*")
        narrow: dict[str, Any] = {
            "type": TYPES[self.type] if self.type else base.type,
            "minimum": _narrowest(max, self.minimum, base.minimum),
            "maximum": _narrowest(min, self.maximum, base.maximum),
            "choices": tuple(map(str, self.choices)) if self.choices else base.choices,
            "options": {**base.options, **({"tooltip": self.description} if self.description else {})},
        }
        return replace(base, **narrow)

    def value(self, value: Any, port: Port | None) -> Any:
        """Return a value as the type that is declared. Files are left to the inputs.

        Raises:
            BadInput: it has another type, or is out of bounds or no choice.
        """
        wanted = self.port(port)
        if not isinstance(wanted.choices, tuple | None):
            wanted = replace(wanted, choices=None)
        if isinstance(wanted.choices, tuple) and wanted.type in ("INT", "FLOAT"):
            cast(str(value), replace(wanted, type="COMBO", minimum=None, maximum=None), Choices(Folders()))
            wanted = replace(wanted, choices=None)
        return cast(value, wanted, Choices(Folders()))


def _narrowest(choose: Any, *bounds: float | None) -> float | None:
    given = [bound for bound in bounds if bound is not None]
    return choose(given) if given else None


def read_declarations(raw: Any, report: Report) -> dict[str, Declaration]:
    """Return the declarations in what a file has under ``loomis``. What is none of them is an error in the report."""
    found: dict[str, Declaration] = {}
    parameters = raw.get("parameters") if isinstance(raw, Mapping) else None
    for name, value in parameters.items() if isinstance(parameters, Mapping) else ():
        try:
            if not NAME.fullmatch(name):
                raise ValueError("a name is letters, digits, _ and -, and begins with a letter")
            found[name] = Declaration.model_validate({"input": value} if isinstance(value, str) else value)
        except ValueError as error:
            why = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
            where = ".".join(map(str, why["loc"])) if why else ""
            report.add(
                "bad_parameter",
                f"The declared parameter {name!r} can't be used: {f'{where}: ' if where else ''}"
                f"{why['msg'] if why else error}.",
                got=value,
                expected='{"input": "NODE.INPUT", "type": ..., "default": ..., "minimum": ..., "maximum": ...}',
                hint="Correct it in the file; docs/parameters.md says what it may hold.",
                level="error",
            )
    return found
