"""Checkpoints to measure with: the embedded one, and those that the generator of the reference folder writes."""

import os
import subprocess
import sys
from pathlib import Path

from engine import Folders, Settings
from engine.context import Context, Environment
from engine.memo import Memo
from engine.store import Store
from nodes import EMBEDDED

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[2] / "shared"))
GENERATOR = REFERENCE / "parity" / "make_checkpoint.py"


def embedded() -> Path:
    """Return the checkpoint that ships."""
    return next((EMBEDDED / "checkpoints").iterdir())


def synthetic(variant: str, folder: Path) -> Path | None:
    """Return a checkpoint with random weights in the layout of ``variant`` (``sd15``: 2 GB), written if need be.

    None where there is no reference folder (``LOOMIS_REFERENCE``).
    """
    path = folder / f"{variant}.safetensors"
    if not path.exists():
        if not GENERATOR.exists():
            return None
        subprocess.run([sys.executable, GENERATOR, variant, path], stdout=subprocess.DEVNULL, check=True)
    return path


def context(path: Path, device: str) -> Context:
    """Return what a node gets, over the folder that holds ``path``; its pool of weights and its store are empty."""
    folders = Folders(extra={"checkpoints": (path.parent,)})
    memo = Memo(Store(None, memory_bytes=2**20, disk_bytes=0), folders)
    environment = Environment(Settings(device=device), folders, memo)
    return Context("bench", environment, lambda *_: None, lambda: False, lambda _: None)
