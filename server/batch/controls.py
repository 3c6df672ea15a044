"""Control after generate, from row to row: seeds that a file leaves to increment, decrement or randomize.

Row 1 has the value that the file has, as an editor sends the value that it shows and changes it afterwards.
"""

from collections.abc import Mapping
from typing import Any

from engine.formats.seeds import MAX_SEED, chooser
from engine.node import Port, Registry

STEPS = {"increment": 1, "decrement": -1}


def controlled(
    prompt: Mapping[str, Any], controls: Mapping[str, Mapping[str, str]], registry: Registry, number: int, seed: int
) -> dict[tuple[str, str], int]:
    """Return (node, input) -> value of row ``number`` for every controlled whole number of a graph.

    Random ones depend on ``seed``, the row, the node and the input, nothing else.
    """
    found: dict[tuple[str, str], int] = {}
    for id, modes in controls.items():
        node = prompt.get(id, {"class_type": "", "inputs": {}})
        spec = registry.specs.get(node["class_type"])
        for name, mode in modes.items():
            value = node["inputs"].get(name)
            port = spec.ports.get(name) if spec else None
            if number > 1 and port and type(value) is int and mode != "fixed":
                found[id, name] = _next(value, mode, port, number, chooser(seed + number - 1, id, name).randrange)
    return found


def _next(value: int, mode: str, port: Port, number: int, draw: Any) -> int:
    low = int(port.minimum) if port.minimum is not None else 0
    high = int(port.maximum) if port.maximum is not None else MAX_SEED
    if mode in STEPS:
        return min(max(value + STEPS[mode] * (number - 1), low), high)
    return int(draw(low, min(high, MAX_SEED) + 1))
