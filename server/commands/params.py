"""``loomis params``."""

import json

import typer

import nodes
from engine.errors import shortened
from engine.folders import Folders
from engine.formats import Catalogue, load
from engine.object_info import SpecClasses
from engine.parameters import Parameter
from server.command import command
from server.commands.arguments import File, Json
from server.offered import offered
from server.opening import vocabulary
from server.report import show_remarks
from server.schema import allowed
from server.settings import Options
from server.text import show_table
from server.workflow import workflow_source

MOST_CHARACTERS = 80


@command
def params(options: Options, file: File, as_json: Json = False) -> None:
    """List what can be set in a workflow: the name for --set, the value it has, what it may be.

    Parameters that the file declares come first. --json adds a JSON Schema: the
    declared parameters, or else every input, as an object that a run takes.

    Examples:
      loomis params workflows/portrait.json
    """
    registry = vocabulary(options)
    folders = options.folders(nodes.EMBEDDED)
    loaded = load(workflow_source(file), Catalogue(SpecClasses(registry.specs)))
    found = offered(loaded, registry)
    if as_json:
        typer.echo(json.dumps(found.data(folders)))
        return
    show_remarks(loaded.warnings)
    if found.declared:
        show_parameters(found.declared, folders)
        typer.echo()
    show_parameters(found.inputs, folders)


def show_parameters(found: list[Parameter], folders: Folders) -> None:
    """Print parameters as a table."""
    rows = [
        (
            each.name,
            each.node,
            each.class_type,
            each.port.type if each.port else "",
            shortened(json.dumps(each.value, ensure_ascii=False), MOST_CHARACTERS),
            allowed(each.port, folders) if each.port else "",
        )
        for each in found
    ]
    show_table(("name", "node", "type", "input", "value", "allowed"), rows)
