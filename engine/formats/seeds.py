"""Random choices that a file asks for at submission, made from one seed."""

import hashlib
import random
from collections.abc import Iterable

from engine.formats.diagnostics import Report
from engine.formats.emit import Entry

SEED_NODE = "Seed (rgthree)"
RANDOM_SEEDS = (-1, -2, -3)
MAX_SEED = 2**50


def chooser(seed: int, path: str, name: str) -> random.Random:
    """Return a generator that depends on the seed, the node's id and the input, nothing else."""
    return random.Random(hashlib.sha256(f"{seed}/{path}/{name}".encode(errors="replace")).digest())


def resolve_seeds(entries: Iterable[Entry], seed: int, report: Report) -> None:
    """Resolve the seeds of rgthree's node: -1 is a new one, and so are -2 and -3 where no run came before."""
    for entry in entries:
        value = entry.literals.get("seed")
        if entry.node.type == SEED_NODE and value in RANDOM_SEEDS and "seed" not in entry.wires:
            entry.literals["seed"] = chooser(seed, entry.path, "seed").randrange(MAX_SEED)
            report.add(
                "random_seed",
                f"The node asks for a new seed; with seed {seed} it is {entry.literals['seed']}.",
                node=entry.path,
                input="seed",
                got=value,
                level="info",
            )
