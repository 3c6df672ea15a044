"""Make the first 256 x 256 picture from a checkpoint in a process of its own; print what loading it took, as JSON.

``python -m tests.parity.first_picture CHECKPOINT [GIB]``: a file in the folder of generated models, and how much memory
models and their work may take.
"""

import hashlib
import json
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from nodes.models.weights import MappedTensors
from tests.parity.cases import MODELS

STATUS = Path("/proc/self/status")


def workflow(checkpoint: str) -> dict[str, Any]:
    """Return a text-to-picture workflow of two steps."""
    text = {"clip": ["1", 1]}
    sampling = {"seed": 1, "steps": 2, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {**text, "text": "a photo of a red fox"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {**text, "text": "blurry"}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {**sampling, **links}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "first"}},
    }


class Watched:
    """Counts how often each tensor is read, and follows this process's anonymous memory."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.peak = self.anonymous()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def anonymous(self) -> int:
        """Return the bytes of memory that no file stands behind."""
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) * 1024

    def _follow(self) -> None:
        while not self._ended.wait(0.01):
            self.peak = max(self.peak, self.anonymous())

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code is MappedTensors.__call__.__code__:
            self.reads[frame.f_locals["name"]] += 1

    def __enter__(self) -> "Watched":
        self._thread.start()
        threading.setprofile(self._called)
        return self

    def __exit__(self, *failure: object) -> None:
        threading.setprofile(None)
        self._ended.set()
        self._thread.join()


def main() -> None:
    import nodes
    from engine import Engine, Folders, Settings
    from engine.events import Event, Warned

    settings = Settings(precision="fp32", ram=int(float((*sys.argv, "0")[2]) * 2**30))
    told: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            told.append(event.message)

    with (
        tempfile.TemporaryDirectory() as work,
        Watched() as watched,
        Engine(nodes.vocabulary(), folders=Folders((MODELS,), output=Path(work)), settings=settings) as engine,
    ):
        result = engine.run(workflow(sys.argv[1]), values=["6"], on_event=listen)
    picture = hashlib.sha256(result.values["6"][0][0].numpy().tobytes()).hexdigest()
    made = {"peak": watched.peak, "seconds": result.seconds, "picture": picture, "told": told, "reads": watched.reads}
    print(json.dumps(made))


if __name__ == "__main__":
    main()
