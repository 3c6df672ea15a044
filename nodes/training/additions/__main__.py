"""``python -m nodes.training.additions FOLDER``: write ``loras/`` and ``controlnet/`` below a models folder."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from nodes.training.additions import edges, lora
from nodes.training.additions.own import checkpoint_path, own_pictures
from nodes.training.device import choose
from nodes.training.parts import load

CHECKPOINT = "tiny-portrait.safetensors"
MAKERS = {
    "lora": (lora.train, "loras/portrait-photograph.safetensors"),
    "controlnet": (edges.train, "controlnet/portrait-edges.safetensors"),
}
STEPS = {"lora": 400, "controlnet": 450}
EVERY = 50


def main(arguments: list[str] | None = None) -> None:
    """Make the pictures, then each model."""
    parser = argparse.ArgumentParser(prog="python -m nodes.training.additions", description=__doc__)
    parser.add_argument("folder", type=Path, help="a models folder")
    parser.add_argument("--only", choices=MAKERS, help="make one of them")
    parser.add_argument("--pictures", type=int, default=384, help="how many pictures to learn from")
    parser.add_argument("--steps", type=int, help="how long to train; default: 400 and 450")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args(arguments)
    console = Console(stderr=True)
    device = choose(asked.device, "auto")
    own = own_pictures(CHECKPOINT, asked.pictures, asked.seed, str(device.torch), said(console, "pictures"))
    for name in [asked.only] if asked.only else MAKERS:
        train, place = MAKERS[name]
        parts = load(checkpoint_path(CHECKPOINT))
        parts.to(device.torch)
        train(parts, own, asked.folder / place, device, steps=asked.steps or STEPS[name], batch=asked.batch,
              seed=asked.seed, told=said(console, name))  # fmt: skip
        sys.stdout.write(f"{asked.folder / place}\n")


def said(console: Console, what: str) -> Callable[..., None]:
    """Return what tells now and then how far it is."""

    def say(count: int, loss: float | None = None) -> None:
        if count % EVERY == 0:
            console.print(f"{what} {count}" + ("" if loss is None else f": loss {loss:.4f}"))

    return say


if __name__ == "__main__":
    main()
