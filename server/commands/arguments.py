"""Arguments that commands on a workflow share."""

from typing import Annotated, TypeAlias

import typer

File: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="The workflow, in any format, or a picture or video that carries one; - reads standard input.",
    ),
]
Files: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Workflows in any format, pictures or videos that carry one, or folders of them; - reads standard input.",
    ),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        show_default=False,
        help="Give an input another value. NAME is a declared parameter, NODE.INPUT (NODE is an id, a title or a type),"
        " or INPUT where only one node has it. May be repeated.",
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
ModelMapping: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--model-map",
        metavar="OLD=NEW",
        show_default=False,
        help="Use another model than the file names; also a JSON file with an object of such names. May be repeated.",
    ),
]
NearestModels: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--nearest-models", metavar="", help="For models that are not here, use those that are spelled most alike."
    ),
]
