"""A child process that runs many small jobs in one engine and prints its resident memory after each hundred.

``python -m tests.acceptance.jobs FOLDER JOBS PICTURES``: of JOBS jobs, PICTURES sample and decode.
"""

import json
import sys
from pathlib import Path
from typing import Any

import nodes
from engine import Engine, Folders, Settings
from nodes import EMBEDDED
from tests.acceptance.command import portrait
from tests.engine.words import n


def sampling(seed: int) -> dict[str, Any]:
    """Return a job that encodes, samples two steps, decodes and saves."""
    workflow = portrait()
    workflow["2"]["inputs"]["text"] = f"portrait number {seed}"
    workflow["5"]["inputs"] |= {"steps": 2, "seed": seed}
    workflow["9"]["inputs"] = {"images": ["6", 0], "filename_prefix": "job"}
    return {id: workflow[id] for id in "1234569"}


def small(seed: int) -> dict[str, Any]:
    """Return a job on pictures without a model."""
    return {
        "1": n("EmptyImage", width=64 + seed % 64, height=64, batch_size=1, color=seed),
        "2": n("ImageInvert", image=("1", 0)),
        "3": n("ImageScaleBy", image=("2", 0), upscale_method="bilinear", scale_by=1.5),
        "4": n("SaveImage", images=("3", 0), filename_prefix="small"),
    }


def resident() -> int:
    """Return the resident memory of this process in KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def main(folder: Path, jobs: int, pictures: int) -> None:
    folders = Folders((EMBEDDED,), folder / "input", folder / "output", folder / "temp")
    with Engine(nodes.vocabulary(), folders=folders, settings=Settings(device="cpu"), data=folder) as engine:
        for job in range(1, jobs + 1):
            engine.run(sampling(job) if job % (jobs // pictures) == 0 else small(job))
            if job % (jobs // 5) == 0:
                print(json.dumps({"job": job, "kib": resident(), "held": engine.store.stats().memory_nbytes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
