"""A child process that runs a graph of 200 nodes on a store it may share, and notes each node that it computed.

``python -m tests.acceptance.grind FOLDER KIND``: KIND is ``cpu`` (short nodes) or ``gpu`` (nodes that other processes
are told of). It waits for the file ``go`` in FOLDER.
"""

import os
import sys
import time
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

from engine import Engine, Folders, Registry
from engine.node import Artifact, OptionalInput, Shown
from engine.types import Anything

COUNT = 200
CHAINS = 20
VALUE_BYTES = 64 * 1024
SECONDS = 0.002


def vocabulary(log: Path) -> Registry:
    """Return node types that note in ``log`` what they computed: their number, a line each."""
    registry = Registry()

    def grind(index: int, *before: bytes) -> bytes:
        time.sleep(SECONDS)
        block = blake2b(index.to_bytes(4, "little") + b"".join(blake2b(part).digest() for part in before)).digest()
        with log.open("a") as file:
            file.write(f"{index}\n")
        return block * (VALUE_BYTES // len(block) + 1)

    @registry.node("Short")
    def short(index: int, before: Annotated[Anything, OptionalInput()] = None) -> Anything:
        return grind(index, before or b"")

    @registry.node("Announced", resource="gpu")
    def announced(index: int, before: Annotated[Anything, OptionalInput()] = None) -> Anything:
        return grind(index, before or b"")

    @registry.node("Join")
    def join(index: int, a: Anything, b: Anything) -> Anything:
        return grind(index, a, b)

    @registry.node("Keep", output_node=True)
    def keep(index: int, a: Anything, b: Anything) -> Shown[None]:
        return Shown(None, files=(Artifact(grind(index, a, b), f"keep-{index}", ".bin"),))

    return registry


def graph(kind: str) -> dict[str, Any]:
    """Return 20 chains of 9 nodes, joined in a ring by 10 nodes that join and, above those, 10 that save a file."""
    type = {"cpu": "Short", "gpu": "Announced"}[kind]
    nodes: dict[str, Any] = {}
    for chain in range(CHAINS):
        for link in range(9):
            before = {"before": [f"{chain}.{link - 1}", 0]} if link else {}
            nodes[f"{chain}.{link}"] = {"class_type": type, "inputs": {"index": 9 * chain + link, **before}}
    for each in range(10):
        ends = {"a": [f"{2 * each}.8", 0], "b": [f"{2 * each + 1}.8", 0]}
        nodes[f"join-{each}"] = {"class_type": "Join", "inputs": {"index": 180 + each, **ends}}
    for each in range(10):
        ends = {"a": [f"join-{each}", 0], "b": [f"join-{(each + 1) % 10}", 0]}
        nodes[f"keep-{each}"] = {"class_type": "Keep", "inputs": {"index": 190 + each, **ends}}
    return nodes


def opened(folder: Path, log: Path) -> Engine:
    """Return an engine on the store and the output folder in ``folder``."""
    folders = Folders(output=folder / "output", temp=folder / "temp")
    return Engine(vocabulary(log), folders=folders, data=folder)


def main(folder: Path, kind: str) -> None:
    while not (folder / "go").exists():
        time.sleep(0.001)
    with opened(folder, folder / f"log-{os.getpid()}") as engine:
        engine.run(graph(kind))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
