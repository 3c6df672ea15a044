"""Inputs that are wrong, each in its own way, and what has to be said of it."""

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from PIL import Image
from safetensors.numpy import save_file

from nodes import EMBEDDED
from tests.acceptance.command import CHECKPOINT, portrait
from tests.engine.words import n

NAN = float("nan")
GOOD = {
    "1": n("EmptyImage", width=8, height=8, batch_size=1, color=255),
    "2": n("SaveImage", images=("1", 0), filename_prefix="good"),
}


@dataclass(frozen=True)
class Bad:
    """A workflow (as data, or as the bytes of a file), the exit code, and words of the message.

    ``where`` is the node that is named, ``args`` more arguments of the command.
    """

    workflow: Mapping[str, Any] | list[Any] | bytes
    code: int
    says: str
    where: str | None = None
    args: tuple[str, ...] = ()


def written(workflow: object) -> bytes:
    """Return a workflow as a file holds it; what JSON has no word for is written as Python does."""
    return workflow if isinstance(workflow, bytes) else json.dumps(workflow).encode()


def picture(**inputs: Any) -> dict[str, Any]:
    """Return a workflow that saves a picture of one colour, with other inputs on the node that makes it."""
    return {**GOOD, "1": n("EmptyImage", **{"width": 8, "height": 8, "batch_size": 1, "color": 255} | inputs)}


def loading(name: str) -> dict[str, Any]:
    """Return a workflow that loads a checkpoint and shows it."""
    return {"1": n("CheckpointLoaderSimple", ckpt_name=name), "2": n("PreviewAny", source=("1", 0))}


def showing(name: str) -> dict[str, Any]:
    return {"1": n("LoadImage", image=name), "2": n("SaveImage", images=("1", 0), filename_prefix="bad")}


def prefixed(prefix: Any) -> dict[str, Any]:
    return {**GOOD, "2": n("SaveImage", images=("1", 0), filename_prefix=prefix)}


CYCLE = {
    "1": n("ImageInvert", image=("3", 0)),
    "2": n("ImageInvert", image=("1", 0)),
    "3": n("ImageInvert", image=("2", 0)),
    "4": n("SaveImage", images=("3", 0), filename_prefix="bad"),
}
LONG = portrait()
LONG["2"]["inputs"]["text"] = "a fox, " * 14_286

BAD: Mapping[str, Bad] = {
    "not JSON": Bad(b"{not json", 2, "is not JSON"),
    "no bytes": Bad(b"", 2, "is empty"),
    "the start of a picture": Bad(b"\x89PNG\r\n\x1a\n", 2, "carries no workflow"),
    "other bytes": Bad(b"\x01" + bytes(63), 2, "neither JSON nor a known picture"),
    "deep JSON": Bad(b"[" * 100_000, 2, "nested too deep"),
    "a list": Bad(b"[]", 2, "holds no workflow"),
    "a number": Bad(b"7", 2, "holds no workflow"),
    "empty": Bad({}, 2, "holds no workflow"),
    "nothing but a note": Bad({"1": 7}, 2, "holds no workflow"),
    "a saved workflow without nodes": Bad({"nodes": [], "links": []}, 2, "is empty"),
    "a node without a type": Bad({**GOOD, "3": {"inputs": {}}}, 2, "The entry 3 is not a node", "3"),
    "inputs that are none": Bad(
        {**GOOD, "3": {"class_type": "EmptyImage", "inputs": []}}, 2, "The entry 3 is not a node", "3"
    ),
    "unknown node type": Bad({**GOOD, "1": n("EmptyImag")}, 2, "Did you mean EmptyImage?", "1"),
    "missing input": Bad({**GOOD, "2": n("SaveImage", filename_prefix="bad")}, 2, "input images: it is missing", "2"),
    "link to nothing": Bad(
        {**GOOD, "2": n("SaveImage", images=("9", 0), filename_prefix="bad")}, 2, "not in the workflow", "2"
    ),
    "link to a wrong slot": Bad(
        {**GOOD, "2": n("SaveImage", images=("1", 3), filename_prefix="bad")}, 2, "has no output 3", "2"
    ),
    "link to a slot between two": Bad(
        {**GOOD, "2": n("SaveImage", images=("1", 0.5), filename_prefix="bad")}, 2, "has no output 0.5", "2"
    ),
    "link of a wrong type": Bad(
        {**GOOD, "1": n("EmptyLatentImage", width=64, height=64, batch_size=1)}, 2, "wants IMAGE and is linked", "2"
    ),
    "a value where a link belongs": Bad(
        {**GOOD, "2": n("SaveImage", images="a.png", filename_prefix="bad")}, 2, "it wants a link", "2"
    ),
    "a list that is no link": Bad(picture(width=[1, 2, 3]), 2, "the list is no link", "1"),
    "value below its range": Bad(picture(width=0), 2, "0 is smaller than 1", "1"),
    "value above its range": Bad(picture(width=50_000), 2, "50000 is bigger than 16384", "1"),
    "value of a wrong type": Bad(picture(width="wide"), 2, "'wide' is no INT", "1"),
    "an object for a number": Bad(picture(width={"a": 1}), 2, "is no INT", "1"),
    "null for a number": Bad(picture(width=None), 2, "is no INT", "1"),
    "endless number": Bad(written(picture(width=7)).replace(b"7", b"1e999"), 2, "is no INT", "1"),
    "NaN": Bad(
        written({**GOOD, "1": n("ImageScaleBy", image=("3", 0), upscale_method="area", scale_by=NAN), "3": GOOD["1"]}),
        2,
        "is no FLOAT",
        "1",
    ),
    "NaN for a whole number": Bad(written(picture(width=NAN)), 2, "is no INT", "1"),
    "not a choice": Bad(
        {**portrait(), "5": {**portrait()["5"], "inputs": {**portrait()["5"]["inputs"], "sampler_name": "eulr"}}},
        2,
        "'eulr' is no choice",
        "5",
    ),
    "no such checkpoint": Bad(loading("tiny-portrat.safetensors"), 2, "Did you mean 'tiny-portrait.safetensors'?", "1"),
    "a checkpoint with a long name": Bad(loading("a" * 5000), 2, "too long for a file", "1"),
    "a checkpoint outside its folder": Bad(loading("../../secret.safetensors"), 2, "leaves its folder", "1"),
    "a cycle": Bad(CYCLE, 2, "depend on each other", None),
    "no output node": Bad({"1": GOOD["1"]}, 2, "has no output node"),
    "a checkpoint cut in its tensors": Bad(loading("cut.safetensors"), 3, "is truncated", "1"),
    "a checkpoint cut in its header": Bad(loading("stump.safetensors"), 3, "is truncated", "1"),
    "a checkpoint without bytes": Bad(loading("nothing.safetensors"), 3, "is not a weights file", "1"),
    "a text as checkpoint": Bad(loading("text.safetensors"), 3, "is not a weights file", "1"),
    "an upscaler as checkpoint": Bad(loading("upscaler.safetensors"), 3, "not of a family that is known", "1"),
    "tensors that are no model": Bad(loading("tensors.safetensors"), 3, "not of a family that is known", "1"),
    "a header that lies": Bad(loading("lies.safetensors"), 3, "header of lies.safetensors is broken", "1"),
    "a pickle with code": Bad(loading("code.ckpt"), 3, "wants to run code", "1"),
    "a torch file with code": Bad(loading("zipped.ckpt"), 3, "wants to run code", "1"),
    "a torch file that is cut": Bad(loading("cut.ckpt"), 3, "is truncated", "1"),
    "no such picture": Bad(showing("fox.png"), 2, "'fox.png' is not there", "1"),
    "a picture outside its folder": Bad(showing("../fox.png"), 2, "leaves its folder", "1"),
    "a picture that is none": Bad(showing("text.png"), 3, "is not a picture", "1"),
    "a picture that is cut": Bad(showing("cut.png"), 3, "is damaged", "1"),
    "a picture 50,000 pixels wide": Bad(showing("wide.png"), 3, "is too large", "1"),
    "a prompt of 100,000 characters": Bad(LONG, 1, "the prompt is too long", "2"),
    "a prefix that leaves the output folder": Bad(prefixed("../escaped"), 2, "leaves its folder", "2"),
    "a prefix with a drive": Bad(prefixed("C:\\escaped"), 2, "leaves its folder", "2"),
    "a prefix from the root": Bad(prefixed("/tmp/escaped"), 2, "leaves its folder", "2"),
    "a linked prefix that leaves the output folder": Bad(
        {**prefixed(("3", 0)), "3": n("PrimitiveString", value="../escaped")}, 3, "leaves its folder", "2"
    ),
    "a date that leaves the output folder": Bad(prefixed("%date:..%/escaped"), 3, "leaves its folder", "2"),
    "a prefix that is too long": Bad(prefixed("a" * 200), 2, "too long for a file", "2"),
    "a node that is not there to run": Bad(GOOD, 2, "No node is called 'Sampler'", None, ("--only", "Sampler")),
    "an input that is not there to set": Bad(GOOD, 2, "has no input 'widht'", "1", ("--set", "1.widht=8")),
}


class Malice:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def prepare(home: Path) -> None:
    """Put bad models and pictures into the folders. Code in them would make the file ``ran``."""
    models, pictures = home / "models" / "checkpoints", home / "input"
    models.mkdir(parents=True)
    pictures.mkdir()
    whole = CHECKPOINT.read_bytes()
    (models / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (models / "stump.safetensors").write_bytes(whole[:1000])
    (models / "nothing.safetensors").write_bytes(b"")
    (models / "text.safetensors").write_text("<!doctype html><title>Sign in to download</title>")
    upscaler = EMBEDDED / "upscale_models" / "realesr-animevideov3_x4.safetensors"
    (models / "upscaler.safetensors").write_bytes(upscaler.read_bytes())
    save_file({"a": numpy.zeros(4, numpy.float32)}, models / "tensors.safetensors")
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4]}}).encode()
    (models / "lies.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    code = pickle.dumps({"state_dict": Malice(home / "ran")}, protocol=2)
    (models / "code.ckpt").write_bytes(code)
    with zipfile.ZipFile(models / "zipped.ckpt", "w") as file:
        file.writestr("archive/data.pkl", code)
        file.writestr("archive/version", "3\n")
    (models / "cut.ckpt").write_bytes((models / "zipped.ckpt").read_bytes()[:100])
    (pictures / "text.png").write_text("no picture")
    Image.new("1", (50_000, 2)).save(pictures / "wide.png")
    Image.effect_noise((64, 64), 50).save(pictures / "cut.png")
    (pictures / "cut.png").write_bytes((pictures / "cut.png").read_bytes()[:1500])
