"""``loomis diff``."""

import json
from typing import Annotated, Any

import typer

import nodes
from engine.compare import Difference, compare
from engine.formats import Catalogue, load
from engine.graph import read_graph
from engine.object_info import SpecClasses
from server.command import command
from server.commands.arguments import Json
from server.settings import Options
from server.text import show_table
from server.workflow import workflow_source


@command
def diff(
    options: Options,
    first: Annotated[str, typer.Argument(metavar="A", help="A workflow, or a picture that carries one.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    as_json: Json = False,
) -> None:
    """Say what differs between two workflows or pictures. Exits with 1 when something does.

    Nodes are the same when their ids are.

    Examples:
      loomis diff output/portrait_00001_.png output/portrait_00002_.png
    """
    catalogue = Catalogue(SpecClasses(nodes.vocabulary().specs))
    graphs = [read_graph(load(workflow_source(name), catalogue).prompt) for name in (first, second)]
    found = compare(*graphs)
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found]))
    elif found:
        show_table(("node", "type", "input", first, second), [_row(each) for each in found])
    else:
        typer.echo("Nothing differs.")
    if found:
        raise typer.Exit(1)


def _row(found: Difference) -> tuple[str, ...]:
    values = (_text(value, found.input is None) for value in (found.first, found.second))
    return (found.node, found.class_type, found.input or "(the node)", *values)


def _text(value: Any, whole: bool) -> str:
    if value is None:
        return "-"
    return str(value) if whole else json.dumps(value, ensure_ascii=False)
