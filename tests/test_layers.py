"""Which way imports point, read off the source and seen in fresh interpreters."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from nodes import MODULES

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "nodes", "server")
HEAVY = {"torch", "diffusers", "transformers", "starlette", "uvicorn", "networkx"}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """Return each imported module and whether it is imported when the module is, type checking apart."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in node.body
        for inner in ast.walk(part)
    }
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name if is_module(name) else node.module, id(node) in top) for name in names]
    return found


@cache
def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def roots(names: Iterable[tuple[str, bool]]) -> set[str]:
    return {name.partition(".")[0] for name, _ in names}


@pytest.mark.parametrize(("package", "forbidden"), [
    ("engine", {"nodes", "server", *HEAVY} - {"networkx"}),
    ("nodes", {"server"}),
])  # fmt: skip
def test_a_package_imports_nothing_from_above(package: str, forbidden: set[str]) -> None:
    found = {module: roots(imports(path)) & forbidden for module, path in modules(package)}
    assert {module: names for module, names in found.items() if names} == {}


def test_sampling_is_mathematics_alone() -> None:
    for _, path in modules("nodes/sampling"):
        ours = {name for name, _ in imports(path) if name.partition(".")[0] in PACKAGES}
        assert all(name.startswith("nodes.sampling") for name in ours), path


def test_the_server_reaches_only_the_schemas_of_nodes() -> None:
    allowed = ("nodes", "nodes.machine")
    for module, path in modules("server"):
        for name, at_import in imports(path):
            if name.partition(".")[0] == "nodes" and at_import:
                assert name in allowed, f"{module} imports {name}"


def test_there_are_no_import_cycles() -> None:
    everything = {name for package in PACKAGES for name, _ in modules(package)}
    graph = {
        name: {target for target, top in imports(path) if top and target in everything and target != name}
        for package in PACKAGES
        for name, path in modules(package)
    }
    while free := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - free for name, targets in graph.items() if name not in free}
    assert graph == {}


LOOP = 0.06
"""Seconds of a loop on a core that is free. One that is shared, and takes longer, may also take longer to import."""

IMPORTING = """
import os, sys, time
clock = time.process_time
began = clock()
__import__(sys.argv[1])
before = clock() - began
began = clock()
sum(n * n for n in range(10**6))
slow = max(1, (clock() - began) / LOOP)
for name in sys.argv[2:]:
    if not os.fork():
        began = clock()
        __import__(name)
        print(name, (before + clock() - began) / slow, *sys.modules, flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""


def imported(package: str, names: list[str]) -> dict[str, float]:
    """Return the seconds that modules of a package take to import, each in an interpreter that has imported no other.

    The interpreter forks after it has imported the package, which every module of it does first.
    """
    command = [sys.executable, "-c", IMPORTING.replace("LOOP", str(LOOP)), package, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    told = [line.split() for line in done.stdout.splitlines()]
    assert {name: heavy for name, _, *loaded in told if (heavy := HEAVY.intersection(loaded))} == {}
    assert [name for name, *_ in told] == names
    return {name: float(seconds) for name, seconds, *_ in told}


@pytest.mark.parametrize(
    ("package", "names"),
    [("engine", ["engine.run"]), ("server", ["server.cli"]), ("nodes", [f"nodes.{name}" for name in MODULES])],
    ids=["engine", "server", "nodes"],
)
def test_the_control_plane_imports_nothing_heavy(package: str, names: list[str]) -> None:
    best = dict.fromkeys(names, 9.9)
    for _ in range(10):
        took = imported(package, names)
        best = {name: min(best[name], seconds) for name, seconds in took.items()}
        names = [name for name, seconds in best.items() if seconds >= 0.4]
        if not names:
            break
    assert {name: seconds for name, seconds in best.items() if seconds >= 0.4} == {}
