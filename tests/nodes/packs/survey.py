"""``python -m tests.nodes.packs.survey FOLDER [PACK ...]``: how many nodes of packs load, and how many run.

Each node is run once: with its defaults or first choices, and linked inputs from our nodes, with the models that ship,
or from other nodes of the same pack. One that runs so, runs; of others it is not said that they don't.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

import nodes
from engine import Engine
from engine.errors import LoomisError
from engine.folders import Folders
from engine.node import NO_DEFAULT, Registry
from engine.object_info import port_choices
from engine.schema import NodeSpec, Port
from nodes.packs.opening import Opened, open_packs

DEEPEST = 3
NODE_SECONDS = 20.0
PACK_SECONDS = 1500

OURS: Mapping[str, tuple[str, int]] = {
    "MODEL": ("ckpt", 0), "CLIP": ("ckpt", 1), "VAE": ("ckpt", 2), "CONDITIONING": ("text", 0), "LATENT": ("latent", 0),
    "IMAGE": ("image", 0), "MASK": ("mask", 0), "SIGMAS": ("sigmas", 0), "SAMPLER": ("sampler", 0),
    "NOISE": ("noise", 0), "GUIDER": ("guider", 0), "STRING": ("string", 0), "INT": ("int", 0), "FLOAT": ("float", 0),
    "BOOLEAN": ("boolean", 0), "*": ("image", 0),
}  # fmt: skip


def ours(checkpoint: str) -> dict[str, Any]:
    def n(type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": type, "inputs": inputs}

    return {
        "ckpt": n("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "text": n("CLIPTextEncode", text="a fox", clip=["ckpt", 1]),
        "latent": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "image": n("EmptyImage", width=64, height=64, batch_size=2, color=0x808080),
        "mask": n("SolidMask", value=0.5, width=64, height=64),
        "sigmas": n("BasicScheduler", model=["ckpt", 0], scheduler="normal", steps=2, denoise=1.0),
        "sampler": n("KSamplerSelect", sampler_name="euler"),
        "noise": n("RandomNoise", noise_seed=1),
        "guider": n("BasicGuider", model=["ckpt", 0], conditioning=["text", 0]),
        "string": n("PrimitiveString", value="a fox"),
        "int": n("PrimitiveInt", value=1),
        "float": n("PrimitiveFloat", value=0.5),
        "boolean": n("PrimitiveBoolean", value=True),
    }


class Survey:
    """Makes a graph around each node of a pack, and runs it."""

    def __init__(self, engine: Engine, opened: Opened) -> None:
        self._engine = engine
        names = engine.folders.names("checkpoints")
        self._ours = ours(names[0])
        self._specs = {
            node.type: engine.registry[node.type]
            for pack in opened.packs
            for node in pack.nodes
            if engine.registry[node.type].foreign == pack.name
        }

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield each node type and why it did not run; empty where it did."""
        for type, spec in self._specs.items():
            try:
                graph = dict(self._ours)
                self._add(graph, "1", spec, DEEPEST)
                self._run(graph)
                yield type, ""
            except LoomisError as error:
                yield type, " ".join(str(error).split())[:200]

    def _run(self, graph: dict[str, Any]) -> None:
        cancel = threading.Event()
        timer = threading.Timer(NODE_SECONDS, cancel.set)
        timer.start()
        try:
            self._engine.run(graph, targets=[], values=["1"], cancel=cancel)
        finally:
            timer.cancel()

    def _add(self, graph: dict[str, Any], id: str, spec: NodeSpec, depth: int) -> None:
        inputs: dict[str, Any] = {}
        graph[id] = {"class_type": spec.type, "inputs": inputs}
        for port in spec.inputs:
            if port.required:
                inputs[port.name] = self._value(graph, f"{id}.{port.name}", port, depth)
            elif port.literal and "default" in port.options and not isinstance(port.options["default"], list):
                inputs[port.name] = port.options["default"]

    def _value(self, graph: dict[str, Any], id: str, port: Port, depth: int) -> Any:
        if port.default not in (NO_DEFAULT, None, "") and not port.options.get("forceInput"):
            return {"__value__": port.default} if isinstance(port.default, list) else port.default
        if choices := port_choices(port, self._engine.folders):
            return choices[0]
        if options := port.options.get("options"):
            return options[0]["key"] if isinstance(options[0], dict) else options[0]
        for kind in port.type.split(","):
            if kind in OURS and (kind not in ("INT", "FLOAT", "STRING", "BOOLEAN") or port.options.get("forceInput")):
                return list(OURS[kind])
        match port.type:
            case "INT" | "FLOAT":
                return port.minimum or 0
            case "STRING":
                return "1"
            case "BOOLEAN":
                return False
        return self._made(graph, id, port.type, depth)

    def _made(self, graph: dict[str, Any], id: str, type: str, depth: int) -> Any:
        """Return a link to a node of the pack that gives this type."""
        for spec in self._specs.values() if depth else ():
            slots = [slot.type for slot in spec.outputs]
            if type in slots and not any(type in port.type.split(",") for port in spec.inputs if port.required):
                self._add(graph, id, spec, depth - 1)
                return [id, slots.index(type)]
        return None


def survey(pack: Path) -> dict[str, Any]:
    """Return what came of one pack."""
    root = Path(tempfile.mkdtemp())
    folders = Folders((nodes.EMBEDDED,), root / "input", root / "output", root / "temp")
    for folder in (folders.input, folders.output, folders.temp):
        folder.mkdir()
    Image.new("RGB", (64, 64), (90, 120, 30)).save(folders.input / "picture.png")
    opened = open_packs([pack], vocabulary(), folders, root / "packs")
    with Engine(opened.registry, folders=folders, data=root / "data", settings=nodes.settings("cpu")) as engine:
        found = dict(Survey(engine, opened).runs())
    return {"problems": opened.problems, "nodes": found}


def vocabulary() -> Registry:
    return nodes.vocabulary()


def main() -> None:
    folder, *names = sys.argv[1:]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    for pack in sorted(Path(folder).absolute().iterdir()):
        if names and pack.name not in names:
            continue
        command = [sys.executable, "-c", CODE, str(pack)]
        try:
            with tempfile.TemporaryDirectory() as here:  # some nodes write where they are
                done = subprocess.run(
                    command, cwd=here, env=environment, capture_output=True, text=True, timeout=PACK_SECONDS
                )
            found = json.loads(done.stdout.splitlines()[-1])
        except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
            print(f"{pack.name}: {type(error).__name__}", done.stderr[-500:] if "done" in locals() else "")
            continue
        good = [name for name, why in found["nodes"].items() if not why]
        print(f"{pack.name}: {len(found['nodes'])} load, {len(good)} run, {len(found['problems'])} problems")
        for name, why in found["nodes"].items():
            print(f"  {'ok  ' if not why else 'FAIL'} {name}: {why}")
        for problem in found["problems"]:
            print(f"  !    {problem}")


CODE = (
    "import json, sys; from pathlib import Path; from tests.nodes.packs.survey import survey;"
    "print(json.dumps(survey(Path(sys.argv[1]))))"
)

if __name__ == "__main__":
    main()
