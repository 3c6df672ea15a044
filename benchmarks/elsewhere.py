"""Run a graph from standard input on a store, in this process, and print what it took. See ``overhead``."""

import json
import sys
from pathlib import Path

from benchmarks.graphs import open_engine
from benchmarks.measure import once
from engine.events import Event, NodeFinished


def main() -> None:
    prompt = json.load(sys.stdin)
    events: list[Event] = []

    def run() -> None:
        with open_engine(Path(sys.argv[1])) as engine:
            engine.run(prompt, on_event=events.append)

    sample = once(run)
    print(json.dumps([*sample, sum(isinstance(event, NodeFinished) for event in events)]))


if __name__ == "__main__":
    main()
