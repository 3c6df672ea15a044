"""The real command in a process of its own, with folders of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nodes import EMBEDDED

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "workflows" / "portrait.json"
CHECKPOINT = EMBEDDED / "checkpoints" / "tiny-portrait.safetensors"
IMPORT_LINE = "import time:"


@dataclass(frozen=True)
class Told:
    """What a command said. ``modules`` are those that it imported; ``err`` is without them."""

    code: int
    out: str
    err: str
    modules: frozenset[str]

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def nodes(self, event: str) -> set[str]:
        """Return the ids of the nodes that an event told of."""
        return {line["node"] for line in self.lines if line.get("event") == event}

    @property
    def ran(self) -> set[str]:
        return self.nodes("node_finished")

    @property
    def files(self) -> list[Path]:
        """The files that the result lists."""
        return [Path(path) for paths in self.lines[-1]["result"]["outputs"].values() for path in paths]


def loomis(home: Path, *args: str | Path, python: tuple[str, ...] = ("-X", "importtime"), **env: str | Path) -> Told:
    """Run a command with the folders below ``home``; ``env`` overrides ``OUT``, ``DATA``, ``MODELS``, ..."""
    for name in ("models", "input"):
        (home / name).mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOOMIS_")}
    folders = {"OUT": home / "output", "DATA": home / "data", "MODELS": home / "models", "INPUT": home / "input"}
    ours = {f"LOOMIS_{name}": str(value) for name, value in ({"DEVICE": "cpu"} | folders | env).items()}
    alone = {"XDG_CONFIG_HOME": str(home / "config"), "HOME": str(home)}
    command = [sys.executable, *python, "-m", "server", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, env={**kept, **ours, **alone}, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    modules = {line.rpartition("|")[2].strip() for line in lines if line.startswith(IMPORT_LINE)}
    told = "\n".join(line for line in lines if not line.startswith(IMPORT_LINE))
    return Told(done.returncode, done.stdout, told, frozenset(modules))


def portrait() -> dict[str, Any]:
    """Return the demo workflow."""
    return json.loads(PORTRAIT.read_text())


def saved(folder: Path, workflow: object, name: str = "workflow.json") -> Path:
    """Write a workflow file."""
    path = folder / name
    path.write_text(json.dumps(workflow))
    return path
