"""``loomis params``."""

import json
from typing import Any

import typer

import nodes
from engine.errors import shortened
from engine.folders import Folders
from engine.formats import Catalogue, load
from engine.graph import read_graph
from engine.object_info import SpecClasses
from engine.parameter_schema import parameter_schema
from engine.parameters import Parameter, list_declared, list_parameters
from server.command import command
from server.commands.arguments import File, Json
from server.opening import vocabulary
from server.report import show_remarks
from server.schema import allowed, input_data
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
    graph = read_graph(loaded.prompt)
    declared = list_declared(graph, loaded.declarations, registry)
    inputs = list_parameters(graph, registry)
    if as_json:
        data = {"parameters": declared, "inputs": inputs}
        lists = {name: [parameter_data(each, folders) for each in found] for name, found in data.items()}
        typer.echo(json.dumps(lists | {"schema": parameter_schema(declared or inputs, folders)}))
        return
    show_remarks(loaded.warnings)
    if declared:
        show_parameters(declared, folders)
        typer.echo()
    show_parameters(inputs, folders)


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


def parameter_data(parameter: Parameter, folders: Folders) -> dict[str, Any]:
    """Return a parameter as plain data: where it is, its value, and what is declared of it."""
    where = {
        "name": parameter.name,
        "node": parameter.node,
        "title": parameter.title,
        "class_type": parameter.class_type,
        "input": parameter.input,
        "value": parameter.value,
    }
    return where | ({"declared": input_data(parameter.port, folders)} if parameter.port else {})
