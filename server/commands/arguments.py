"""Arguments that commands on a workflow share."""

from typing import Annotated, TypeAlias

import typer

File: TypeAlias = Annotated[
    str, typer.Argument(metavar="FILE", help="The workflow: API format or saved by the editor; - reads standard input.")
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NODE.INPUT=VALUE",
        show_default=False,
        help="Give an input another value. NODE is an id, a title or a type that is there once. May be repeated.",
    ),
]
Only: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NODE",
        show_default=False,
        help="Run to this node, not to all outputs. May be repeated.",
    ),
]
Partial: TypeAlias = Annotated[
    bool,
    typer.Option("--partial", metavar="", help="Leave out outputs that a fault makes impossible, and run the rest."),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
