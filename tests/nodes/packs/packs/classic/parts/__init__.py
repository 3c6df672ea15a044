"""Node classes of the pack."""

from . import effects, graphs, lists, values

MAPPINGS = {**effects.MAPPINGS, **graphs.MAPPINGS, **lists.MAPPINGS, **values.MAPPINGS}
