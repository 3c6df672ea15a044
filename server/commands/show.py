"""``loomis show``."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

import nodes
from engine.compare import compare
from engine.errors import shortened
from engine.formats import Catalogue, load
from engine.graph import is_link, read_graph
from engine.object_info import SpecClasses
from engine.parameters import list_parameters
from engine.provenance import made_of, source_of
from server.command import command
from server.commands.arguments import File, Json
from server.commands.params import MOST_CHARACTERS, show_parameters
from server.opening import vocabulary
from server.report import plain_data, show_remarks
from server.settings import Options
from server.text import show_table
from server.workflow import workflow_source


@command
def show(
    options: Options,
    file: File,
    as_json: Json = False,
    workflow: Annotated[
        bool,
        typer.Option("--workflow", metavar="", help="Print only the workflow as it was given, in its own format."),
    ] = False,
) -> None:
    """Show what a picture, video or workflow file holds: the graph and the values in it.

    Of a picture that Loomis made it also shows how: parameters, model files,
    versions, settings. --json prints the graph as it ran (prompt), the document
    that the editor saved (workflow), and what Loomis added (loomis). --workflow
    prints the workflow as it was before values were set: what the editor saved, or
    the file in the API format.

    Examples:
      loomis show output/portrait_00001_.png
      loomis show output/portrait_00001_.png --workflow
    """
    registry = vocabulary(options)
    catalogue = Catalogue(SpecClasses(registry.specs))
    loaded = load(workflow_source(file), catalogue)
    source = source_of(loaded)
    if workflow:
        typer.echo(json.dumps(loaded.saved or source or loaded.source, indent=2))
        return
    if as_json:
        facts = {"container": loaded.container, "format": loaded.format}
        remarks = {"diagnostics": [plain_data(each) for each in loaded.diagnostics]}
        holds = {"prompt": loaded.prompt, "workflow": loaded.saved, "loomis": loaded.loomis}
        typer.echo(json.dumps(facts | holds | remarks))
        return
    show_remarks(loaded.warnings)
    graph = read_graph(loaded.prompt)
    kept = ""
    if loaded.format == "api" and (loaded.saved or source):
        kept = f" with {'the document that the editor saved' if loaded.saved else 'the workflow as it was given'}"
    typer.echo(f"{loaded.container}: {len(graph.nodes)} nodes, {loaded.format} format{kept}\n")
    links = {
        id: ", ".join(f"{name} from {value[0]}" for name, value in node.inputs.items() if is_link(value))
        for id, node in graph.nodes.items()
    }
    rows = [(id, node.class_type, node.title or "", links[id]) for id, node in graph.nodes.items()]
    show_table(("node", "type", "title", "fed by"), rows)
    typer.echo()
    show_parameters(list_parameters(graph, registry), options.folders(nodes.EMBEDDED))
    if made := made_of(loaded):
        typer.echo()
        given = list(_given_rows(load(source, catalogue).prompt, loaded.prompt)) if source else []
        show_table(("made with", "name", "value"), [*_made_rows(made), *given])


def _given_rows(source: Mapping[str, Any], ran: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what differs between the workflow as it was given and the graph that ran."""
    for found in compare(read_graph(source), read_graph(ran)):
        values = [shortened(json.dumps(value, ensure_ascii=False), MOST_CHARACTERS) for value in found[3:]]
        yield "given", f"{found.node}.{found.input or found.class_type}", " became ".join(values)


def _made_rows(made: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "result", f"node {made.get('node')}, file {made.get('index', 0) + 1}", f"blake3 {made.get('result')}"
    for name, value in made.get("parameters", {}).items():
        yield "parameter", name, shortened(json.dumps(value, ensure_ascii=False), MOST_CHARACTERS)
    for file in made.get("files", ()):
        yield "file", f"{file['kind']}/{file['name']}", f"blake3 {file['blake3']}"
    for kind, group in (("version", "versions"), ("setting", "settings"), ("batch", "batch")):
        for name, value in made.get(group, {}).items():
            yield kind, name, str(value)
    for pick in made.get("picks", ()):
        yield "pick", f"{pick['node']}.{pick['input']}", pick["picked"]
