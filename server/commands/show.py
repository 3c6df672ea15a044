"""``loomis show``."""

import json

import typer

import nodes
from engine.formats import Catalogue, load
from engine.graph import is_link, read_graph
from engine.object_info import SpecClasses
from engine.parameters import list_parameters
from server.command import command
from server.commands.arguments import File, Json
from server.commands.params import show_parameters
from server.report import plain_data, show_remarks
from server.settings import Options
from server.text import show_table
from server.workflow import workflow_source


@command
def show(options: Options, file: File, as_json: Json = False) -> None:
    """Show what a picture, video or workflow file holds: the graph and the values in it.

    --json prints the graph (prompt) and the document that the editor saved (workflow).

    Examples:
      loomis show output/portrait_00001_.png
    """
    registry = nodes.vocabulary()
    loaded = load(workflow_source(file), Catalogue(SpecClasses(registry.specs)))
    if as_json:
        facts = {"container": loaded.container, "format": loaded.format}
        remarks = {"diagnostics": [plain_data(each) for each in loaded.diagnostics]}
        typer.echo(json.dumps(facts | {"prompt": loaded.prompt, "workflow": loaded.saved} | remarks))
        return
    show_remarks(loaded.warnings)
    graph = read_graph(loaded.prompt)
    kept = " with the document that the editor saved" if loaded.saved and loaded.format == "api" else ""
    typer.echo(f"{loaded.container}: {len(graph.nodes)} nodes, {loaded.format} format{kept}\n")
    links = {
        id: ", ".join(f"{name} from {value[0]}" for name, value in node.inputs.items() if is_link(value))
        for id, node in graph.nodes.items()
    }
    rows = [(id, node.class_type, node.title or "", links[id]) for id, node in graph.nodes.items()]
    show_table(("node", "type", "title", "fed by"), rows)
    typer.echo()
    show_parameters(list_parameters(graph, registry), options.folders(nodes.EMBEDDED))
