"""A child process that runs a batch of rows without torch, and logs each row that it computes.

``python -m tests.acceptance.many_rows FOLDER ROWS``
"""

import os
import sys
import time
from pathlib import Path

from server.batch.axes import Axis
from server.batch.manifest import Manifest
from server.batch.names import Names
from server.batch.pictures import Pictures
from server.batch.request import Request, compose
from server.batch.runner import Progress, run_batch
from tests.engine.words import Vocabulary, engine, n

GRAPH = {"1": n("Logged", value=0), "2": n("Save", text=("1", 0))}


def main(folder: Path, count: int) -> Progress:
    words = Vocabulary()
    log = os.open(folder / "log", os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    @words.registry.node("Logged")
    def logged(value: int) -> str:
        os.write(log, f"{value}\n".encode())
        time.sleep(0.002)
        return f"text {value}"

    with engine(words, folder) as e:
        request = Request(Names(folder / "out", "{row}"), grid=[Axis("value", range(1, count + 1))])
        batch = compose(e, e.load(GRAPH), request, Pictures(e.folders, folder))
        with Manifest(folder / "out" / "manifest.jsonl", batch.head("rows")) as manifest:
            return run_batch(batch, manifest)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
