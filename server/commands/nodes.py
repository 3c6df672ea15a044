"""``loomis nodes``."""

import json
from collections.abc import Iterable
from typing import Annotated

import typer

from engine.errors import SettingError
from engine.folders import Folders
from engine.node import NO_DEFAULT, NodeSpec, Port
from engine.spelling import nearest
from nodes import EMBEDDED
from server.command import command
from server.commands.arguments import Json
from server.opening import vocabulary
from server.schema import allowed, node_data
from server.search import search
from server.settings import Options
from server.text import show_table


@command
def nodes(
    options: Options,
    name: Annotated[
        str | None, typer.Argument(metavar="WORD", help="A node type, or what to look for.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the node types by category, or describe one: its inputs with bounds and defaults, its outputs.

    Any other word is looked for in types, titles, categories, descriptions and the
    names and types of inputs and outputs, whatever the case.

    Examples:
      loomis nodes
      loomis nodes KSampler
      loomis nodes upscale
    """
    registry = vocabulary(options)
    folders = options.folders(EMBEDDED)
    if name is None:
        show_all(sorted(registry, key=lambda spec: (spec.category, spec.type)), folders, as_json)
        return
    if name not in registry and (found := search(name, registry)):
        show_all(found, folders, as_json)
        return
    if name not in registry:
        near = nearest(name, registry.specs)
        raise SettingError(
            f"There is no node type {name!r}, and none that has the word.",
            got=name,
            expected=near,
            hint=f"Did you mean {near}?" if near else "Run `loomis nodes` for the list.",
        )
    if as_json:
        typer.echo(json.dumps(node_data(registry[name], folders)))
    else:
        show_one(registry[name], folders)


def show_all(specs: Iterable[NodeSpec], folders: Folders, as_json: bool) -> None:
    """Print every node type."""
    if as_json:
        typer.echo(json.dumps({spec.type: node_data(spec, folders) for spec in specs}))
        return
    rows = [(spec.category, spec.type, spec.description.partition("\n")[0]) for spec in specs]
    show_table(("category", "type", "what it does"), rows)


def show_one(spec: NodeSpec, folders: Folders) -> None:
    """Print a node type with its inputs and outputs."""
    title = spec.type if spec.display_name == spec.type else f"{spec.type}: {spec.display_name}"
    typer.echo(f"{title} ({spec.category})\n\n{spec.description}\n")
    if spec.inputs:
        show_table(
            ("input", "type", "default", "allowed"),
            [(port.name, port.type, _default(port), allowed(port, folders)) for port in spec.inputs],
        )
    if spec.outputs:
        typer.echo()
        show_table(("output", "type"), [(f"{at} {slot.name}", slot.type) for at, slot in enumerate(spec.outputs)])


def _default(port: Port) -> str:
    if not port.required and port.default in (NO_DEFAULT, None):
        return "(optional)"
    if port.default is NO_DEFAULT:
        return "(a link)" if not port.literal else "(needed)"
    return json.dumps(port.default)
