"""Workflow files: read any of them, and turn what the editor saves into the graph that runs.

``load`` is the way in: read -> parse -> unfold (group nodes, subgraphs) -> resolve (links through everything that
exists only in the editor) -> emit.
"""

from engine.formats.catalogue import Catalogue, catalogue_from_object_info
from engine.formats.diagnostics import Diagnostic
from engine.formats.load import Loaded, load
from engine.formats.read import read

__all__ = ["Catalogue", "Diagnostic", "Loaded", "catalogue_from_object_info", "load", "read"]
