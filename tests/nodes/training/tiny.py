"""A tiny dataset and networks of the real classes that train in moments."""

import io
from pathlib import Path

from PIL import Image, ImageDraw
from rich.console import Console

from nodes.training.dataset import Dataset, open_dataset
from nodes.training.device import Device, choose
from nodes.training.parts import Design
from tests.nodes.models import tiny

SIZE = 16
DESIGN = Design(size=SIZE, unet=tiny.UNET, vae=tiny.VAE, text=tiny.TEXT)
DEVICE: Device = choose("cpu", "fp32")


def write_pictures(folder: Path, count: int = 3) -> Path:
    """Write transparent pictures of discs with a caption beside each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = Image.new("RGBA", (24, 24))
        ImageDraw.Draw(image).ellipse((6, 6, 18, 18), fill=(40 * number, 200 - 40 * number, 90, 255))
        image.save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"disc {number}\nround thing {number}\n")
    return folder


def dataset(folder: Path) -> Dataset:
    return open_dataset(write_pictures(folder), SIZE)


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)
