"""Which way imports point, read off the source and seen in fresh interpreters."""

import ast
import subprocess
import sys
from collections.abc import Iterator
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


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported module and whether it is imported when the module is, type checking apart."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in node.body
        for inner in ast.walk(part)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if is_module(name) else node.module, id(node) in top


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def roots(names: Iterator[tuple[str, bool]]) -> set[str]:
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


@pytest.mark.parametrize("module", ["engine.run", "server.cli", *(f"nodes.{name}" for name in MODULES)])
def test_the_control_plane_imports_nothing_heavy(module: str) -> None:
    code = (
        "import sys, time; clock = time.process_time; began = clock(); __import__(sys.argv[1]); "
        "took = clock() - began; began = clock(); sum(n * n for n in range(10**6)); "
        "print(took / max(1, (clock() - began) / LOOP), *sys.modules)"
    ).replace("LOOP", str(LOOP))
    command = [sys.executable, "-c", code, module]
    best = 9.9
    for _ in range(10):
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        seconds, *loaded = done.stdout.split()
        assert {name for name in loaded if name in HEAVY} == set()
        best = min(best, float(seconds))
        if best < 0.4:
            break
    assert best < 0.4
