"""The node types of packs offer files; a process that has packs looks anew at what is there."""

import sys


def refresh_packs() -> None:
    """See that the node types of packs offer the files that are there now. Without packs there is nothing to do.

    It may ask a worker, so it belongs in a thread.
    """
    if current := sys.modules.get("nodes.packs.current"):
        current.refresh()
