"""Workflow files: read any of them, and turn what the editor saves into the graph that runs.

``load`` is the way in: read -> parse -> unfold (group nodes, subgraphs) -> resolve (links through everything that
exists only in the editor) -> emit. Files that only the editor understands fully are converted as its frontend does.
Where frontends disagree, or lose what a file says, this does what the file means:

- An unknown node type keeps its name, its links and the values that can be named; the pack is told where it is known.
- Values of subgraph instances are found by the name of the definition's input, never by position alone.
- Positional widget values win; where they don't fit the node type, the copy by name does. Null is the default.
- Nothing inside a muted or bypassed subgraph instance runs.
- A primitive's value also reaches a widget behind a bypassed node or a subgraph, and a forced input.
- Links under version 0.4 may be objects or null. Whole numbers keep all their digits.
- NaN and Infinity are null.
- A picture that carries both formats runs the graph that made it; the saved document is kept beside it.
- Random choices (dynamic prompts, random seeds) come from one seed and are recorded as diagnostics.
- What a player widget shows (SaveGLB, Preview3D, audio nodes) is sent as "", as the frontend does.
"""

from engine.formats.catalogue import Catalogue, catalogue_from_object_info
from engine.formats.diagnostics import Diagnostic
from engine.formats.load import Loaded, load
from engine.formats.read import read

__all__ = ["Catalogue", "Diagnostic", "Loaded", "catalogue_from_object_info", "load", "read"]
