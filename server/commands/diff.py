"""``loomis diff``."""

import json
from typing import Annotated, Any

import typer

from engine.compare import Circumstance, Difference, compare, compare_made
from engine.formats import Catalogue, load
from engine.graph import read_graph
from engine.object_info import SpecClasses
from engine.provenance import made_of
from server.command import command
from server.commands.arguments import Json
from server.opening import vocabulary
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

    Nodes are the same when their ids are. Of two pictures that Loomis made it also
    says which model and input files, versions and settings differ.

    Examples:
      loomis diff output/portrait_00001_.png output/portrait_00002_.png
    """
    catalogue = Catalogue(SpecClasses(vocabulary(options).specs))
    one, two = (load(workflow_source(name), catalogue) for name in (first, second))
    found = compare(read_graph(one.prompt), read_graph(two.prompt))
    around = compare_made(*(made_of(each) for each in (one, two))) if made_of(one) and made_of(two) else []
    if as_json:
        typer.echo(
            json.dumps({"nodes": [each._asdict() for each in found], "made": [each._asdict() for each in around]})
        )
    elif not (found or around):
        typer.echo("Nothing differs.")
    if found and not as_json:
        show_table(("node", "type", "input", first, second), [_row(each) for each in found])
    if around and not as_json:
        show_table(("what", "name", first, second), [_around(each) for each in around])
    if found or around:
        raise typer.Exit(1)


def _around(found: Circumstance) -> tuple[str, ...]:
    return found.kind, found.name, _text(found.first, True), _text(found.second, True)


def _row(found: Difference) -> tuple[str, ...]:
    values = (_text(value, found.input is None) for value in (found.first, found.second))
    return (found.node, found.class_type, found.input or "(the node)", *values)


def _text(value: Any, whole: bool) -> str:
    if value is None:
        return "-"
    return str(value) if whole else json.dumps(value, ensure_ascii=False)
