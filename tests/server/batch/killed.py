"""``python -m tests.server.batch.killed FOLDER``: a batch that is killed while it notes its first row.

The file of the row has its name by then. The system kills the process at a limit that only the manifest grows beyond:
nothing is kept on disk, and the files of rows are small.
"""

import resource
import signal
import sys
from pathlib import Path

from server.batch.axes import Axis
from server.batch.manifest import Manifest
from server.batch.names import Names
from server.batch.pictures import Pictures
from server.batch.request import Request, compose
from server.batch.runner import run_batch
from tests.engine.words import Vocabulary, engine, n

GRAPH = {"1": n("Text", value="a"), "2": n("Save", text=("1", 0))}
NOTED = 10
"""Bytes of the row's line that reach the disk."""


def request(folder: Path) -> Request:
    return Request(Names(folder / "out", "{row}"), grid=[Axis("value", ["one", "two"])])


def main(folder: Path) -> None:
    with engine(Vocabulary()) as e:
        batch = compose(e, e.load(GRAPH), request(folder), Pictures(e.folders, folder))
        with Manifest(folder / "out" / "manifest.jsonl", batch.head("w.json")) as manifest:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (manifest.path.stat().st_size + NOTED,) * 2)
            run_batch(batch, manifest)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
