"""What ``loomis serve`` costs: cold start, memory, jobs per second, latencies of jobs and of edits, bytes of a story.

The server and its worker are processes of their own; the client is this process. All three share the cores.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measure import Timing
from benchmarks.report import Row
from server.client import Client
from server.protocol.edits import SetInput

THEME = "server"
LOOMIS = "import sys; from server.cli import main; sys.argv[0] = 'loomis'; main()"
IN_FLIGHT = 8
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def call(self, method: str, path: str, body: Any = None, on: http.client.HTTPConnection | None = None) -> Any:
        """Return the answer to a request, over a connection of its own or a given one."""
        connection = on or http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        data = answer.read()
        if on is None:
            connection.close()
        assert answer.status < 300, data
        return json.loads(data)

    def worker(self) -> int:
        """Return the process of the worker, once it takes orders."""
        while (pid := self.call("GET", "/api/v1/workers")["workers"][0]["pid"]) is None:
            time.sleep(0.02)
        return int(pid)

    def wait_until_idle(self) -> None:
        while self.call("GET", "/api/v1/jobs?state=queued,running&limit=1")["total"]:
            time.sleep(0.005)


def measure(options: Namespace) -> Iterator[Row]:
    """Measure a fresh server, then one that is warm."""
    repeats, jobs = (1, 20) if options.quick else (5, 200)
    start = cold_start(repeats)
    with serving() as server:
        worker = server.worker()
        settle(worker)
        yield replace(start, note=f"{memory(server.process.pid):.0f} MB when idle")
        for name, submit in (("keep-alive, 8 in flight", submit_together), ("a connection per job", submit_in_turn)):
            yield throughput(server, worker, name, submit, jobs, repeats)
        yield latency(server, 20 if options.quick else 200)
        yield editing(server, 20 if options.quick else 200)
        yield story(server, 50 if options.quick else 1000)


@contextmanager
def serving() -> Iterator[Server]:
    """Start a server over empty folders."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-c", LOOMIS, "serve", "--port", "0", "--data", f"{folder}/data"]
        command += ["--out", f"{folder}/out", "--device", "cpu"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout
            port = int(process.stdout.readline().rpartition(":")[2])
            try:
                yield Server(process, port)
            finally:
                process.terminate()


def cold_start(repeats: int) -> Row:
    """From nothing to the first answer of the node schemas: the clock, and the processor time of the server alone."""
    samples = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        with serving() as server:
            server.call("GET", "/api/v1/nodes")
            samples.append((time.perf_counter() - began, cpu(server.process.pid)))
    walls, cpus = zip(*samples[1:], strict=True)
    return Row(THEME, "first node schemas", Timing(median(walls), median(cpus), min(walls), repeats))


def throughput(
    server: Server, worker: int, name: str, submit: Callable[[Server, Sequence[Any]], None], count: int, repeats: int
) -> Row:
    """Distinct jobs of three nodes, from the first request until the last has ended."""
    samples = []
    for _ in range(repeats + 1):
        graphs = [three_nodes() for _ in range(count)]
        before = cpu(server.process.pid), cpu(worker)
        began = time.perf_counter()
        submit(server, graphs)
        server.wait_until_idle()
        spent = cpu(server.process.pid) - before[0], cpu(worker) - before[1]
        samples.append((time.perf_counter() - began, *spent))
    walls, control, work = zip(*samples[1:], strict=True)
    wall = median(walls)
    note = f"{count / wall:.0f} jobs/s; CPU of a job: server {median(control) / count * 1e3:.2f} ms, "
    note += f"worker {median(work) / count * 1e3:.2f} ms"
    timing = Timing(wall, median(control) + median(work), min(walls), repeats)
    return Row(THEME, name, timing, count=count, note=note)


def submit_together(server: Server, graphs: Sequence[Any]) -> None:
    def some(index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for graph in graphs[index::IN_FLIGHT]:
            server.call("POST", "/api/v1/jobs", {"workflow": graph}, connection)
        connection.close()

    threads = [threading.Thread(target=some, args=(index,)) for index in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def submit_in_turn(server: Server, graphs: Sequence[Any]) -> None:
    for graph in graphs:
        server.call("POST", "/api/v1/jobs", {"workflow": graph})


def latency(server: Server, count: int) -> Row:
    """How long submitting takes while the worker samples on all cores, at 50 requests a second."""
    portrait = json.loads((Path(__file__).parent.parent / "workflows" / "portrait.json").read_text())
    sampler = next(id for id, node in portrait.items() if node["class_type"] == "KSampler")
    portrait[sampler]["inputs"]["steps"] = 10_000
    job = server.call("POST", "/api/v1/jobs", {"workflow": portrait})["id"]
    while sampler not in server.call("GET", f"/api/v1/jobs/{job}")["progress"]:
        time.sleep(0.1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    seconds = []
    for _ in range(count):
        graph = three_nodes()
        began = time.perf_counter()
        server.call("POST", "/api/v1/jobs", {"workflow": graph}, connection)
        seconds.append(time.perf_counter() - began)
        time.sleep(0.02)
    connection.close()
    assert server.call("GET", f"/api/v1/jobs/{job}")["state"] == "running"
    server.call("POST", f"/api/v1/jobs/{job}/cancel")
    server.wait_until_idle()
    seconds.sort()
    note = f"p95 {seconds[int(count * 0.95)] * 1e3:.1f} ms, longest {seconds[-1] * 1e3:.1f} ms"
    return Row(THEME, "submit while a worker samples", Timing(median(seconds), 0, seconds[0], count), note=note)


def editing(server: Server, count: int) -> Row:
    """An edit at the head of a chain in a session, until the state of every node, all of them changed, is back."""
    graph: dict[str, Any] = {"1": {"class_type": "PrimitiveString", "inputs": {"value": "as it ran"}}}
    for id in range(2, 60):
        graph[str(id)] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": [str(id - 1), 0]}}
    graph["60"] = {"class_type": "PreviewAny", "inputs": {"source": ["59", 0]}}
    seconds = []
    with Client(f"http://127.0.0.1:{server.port}") as client:
        session = client.open(graph)
        session.run()
        while any(step.state != "remembered" for step in session.plan().steps.values()):
            time.sleep(0.01)
        session.edit(SetInput(op="set", node="1", input="value", value="before it ran"))
        for index in range(count):
            edit = SetInput(op="set", node="1", input="value", value=f"edit {index}" if index % 2 else "as it ran")
            began = time.perf_counter()
            edited = session.edit(edit)
            seconds.append(time.perf_counter() - began)
            assert len(edited.nodes) == len(graph)
        session.close()
    seconds.sort()
    note = f"p95 {seconds[int(count * 0.95)] * 1e3:.1f} ms, longest {seconds[-1] * 1e3:.1f} ms"
    return Row(THEME, f"an edit of {len(graph)} nodes", Timing(median(seconds), 0, seconds[0], count), note=note)


def story(server: Server, chains: int) -> Row:
    """The facts of the first run of many independent short chains."""
    graph: dict[str, Any] = {}
    for index in range(chains):
        graph |= {f"{index}.{id}": node for id, node in three_nodes(f"{index}.").items()}
    began = time.perf_counter()
    job = server.call("POST", "/api/v1/jobs", {"workflow": graph})["id"]
    server.wait_until_idle()
    wall = time.perf_counter() - began
    size = since = 0
    while found := server.call("GET", f"/api/v1/jobs/{job}/events?limit=1000&since={since}")["events"]:
        size, since = size + len(json.dumps(found)), found[-1]["seq"]
    note = f"{size / 1e6:.2f} MB of facts, {size / len(graph):.0f} bytes a node"
    return Row(THEME, f"{chains} chains of three nodes", Timing(wall, 0, wall, 1), count=len(graph), note=note)


COUNTER = iter(range(1, 10**9))


def three_nodes(prefix: str = "") -> dict[str, Any]:
    """Return a workflow that nobody ran before."""
    return {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": f"number {next(COUNTER)}"}},
        "2": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": [f"{prefix}1", 0]}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": [f"{prefix}2", 0]}},
    }


def settle(pid: int) -> None:
    """Wait until a process has done what it does at its start."""
    before = -1.0
    while (now := cpu(pid)) - before > 0.02:
        before = now
        time.sleep(1)


def cpu(pid: int) -> float:
    """Return the seconds of processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Return the resident megabytes of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
