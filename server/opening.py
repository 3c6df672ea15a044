"""The engine that the command line and the workers of a server work with."""

import logging
from typing import TYPE_CHECKING, Any

import nodes
from engine import Engine, Registry
from server.settings import GB, Options

if TYPE_CHECKING:
    from nodes.packs.opening import Opened

log = logging.getLogger("loomis.packs")


def open_packs(options: Options, ours: Registry, **how: Any) -> "Opened":
    """Return our node types and those of the packs that the settings name. ``how`` is for who does not import them."""
    from nodes.packs import opening  # few have packs

    places = options.folders(nodes.EMBEDDED)
    return opening.open_packs(options.custom_nodes, ours, places, options.data.absolute() / "packs", **how)


def vocabulary(options: Options, ours: Registry | None = None) -> Registry:
    """Return all node types, with those of node packs. What can't be used of packs is logged."""
    ours = ours or nodes.vocabulary()
    if not options.custom_nodes:
        return ours
    opened = open_packs(options, ours)
    for problem in opened.problems:
        log.warning(problem)
    return opened.registry


def open_engine(options: Options, registry: Registry | None = None) -> Engine:
    """Return an engine, with all node types if no others. To be closed: what it learned is on disk then."""
    return Engine(
        registry or vocabulary(options),
        folders=options.folders(nodes.EMBEDDED),
        settings=options.settings(),
        data=options.data.absolute(),
        memory_bytes=int(options.memory_gb * GB),
        disk_bytes=int(options.disk_gb * GB),
    )
