"""``python -m tests.server.serving FOLDER``: the server as the command starts it, with the nodes of these tests."""

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from server.app.host import serve
from server.security.access import Access
from tests.server.vocabulary import VOCABULARY
from tests.server.words import options

ROOT = Path(__file__).parent.parent.parent


class ServerProcess:
    """A server over a folder, in a process of its own; it can be killed and started again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self._settings = settings
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.server.serving", str(self.folder), json.dumps(self._settings)]
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout
        with self._process.stdout as said:
            self.port = int(said.readline().rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return an answer. Raises OSError or HTTPException when the server dies meanwhile."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, data
        return json.loads(data)

    def worker(self) -> int:
        """Return the process of the worker, once it takes orders."""
        return int(self.wait_for(lambda: self.call("GET", "/api/v1/workers")["workers"][0]["pid"]))

    def wait_until_idle(self) -> None:
        self.wait_for(lambda: not self.call("GET", "/api/v1/queue")["jobs"])

    def wait_for(self, check: Any, seconds: float = 120.0) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := check():
                return found
            time.sleep(0.02)
        raise AssertionError("it did not come")

    def events(self) -> list[dict[str, Any]]:
        """Return every fact."""
        found: list[dict[str, Any]] = []
        while more := self.call("GET", f"/api/v1/events?limit=10000&since={len(found)}")["events"]:
            found += more
        return found

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def signal(self) -> None:
        """Ask it to end."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """End it in order, and return its exit code."""
        self.signal()
        return self._process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def kill(pid: int) -> None:
    """Kill a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    chosen = options(Path(sys.argv[1]), port=0, **json.loads(sys.argv[2]))
    asyncio.run(serve(chosen, Access(), VOCABULARY, announce=lambda address: print(address, flush=True)))
