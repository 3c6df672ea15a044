"""The code that a node reaches, as a digest for each definition, read off the source.

``python -m tests.nodes.reach`` writes ``versions.txt`` anew, which also settles a conflict in it. Raise a node's
version first if its results can change.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from engine.node import NodeSpec
from nodes import vocabulary
from nodes.packs.spec import ADAPTER

ROOT = Path(__file__).parent.parent.parent
PACKS = "nodes of packs"
"""What stands for them all among the node types. Their version is ADAPTER in `nodes.packs.spec`, and all of ours."""

LOCK = Path(__file__).with_name("versions.txt")
Name = tuple[str, str]
"""A module and a name at its top."""


class Module:
    """What stands at the top of a module: definitions by name, and where imported names come from."""

    def __init__(self, name: str) -> None:
        self.definitions: dict[str, list[ast.AST]] = {}
        self.names: dict[str, Name] = {}
        self.modules: dict[str, str] = {}
        for node in ast.walk(tree := ast.parse(source(name).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nodes"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    if is_module(whole):
                        self.modules[alias.asname or alias.name] = whole
                    else:
                        self.names[alias.asname or alias.name] = (str(node.module), alias.name)
        for node in tree.body:
            for defined in defined_names(node):
                self.definitions.setdefault(defined, []).append(node)


def source(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def defined_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield from (inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name))


@cache
def module(name: str) -> Module:
    return Module(name)


@cache
def uses(name: Name) -> frozenset[Name]:
    """Return the names of ours that a definition mentions."""
    home = module(name[0])
    found: set[Name] = set()
    for definition in home.definitions.get(name[1], ()):
        for node in ast.walk(definition):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in home.modules:
                found.add((home.modules[node.value.id], node.attr))
            elif isinstance(node, ast.Name) and node.id in home.names:
                found.add(home.names[node.id])
            elif isinstance(node, ast.Name) and node.id in home.definitions:
                found.add((name[0], node.id))
    if name[1] in home.names:
        found.add(home.names[name[1]])
    return frozenset(found)


@cache
def text(name: Name) -> str:
    """Return a definition without docstrings, comments and layout."""
    dumped = []
    for definition in module(name[0]).definitions.get(name[1], ()):
        bare = ast.parse(ast.unparse(definition))
        for node in ast.walk(bare):
            if isinstance(body := getattr(node, "body", None), list):
                rest = [
                    part for part in body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
                ]
                body[:] = rest or [ast.Pass()]
        dumped.append(ast.unparse(bare))
    return "\n".join(dumped)


def reached(spec: NodeSpec) -> set[Name]:
    """Return the node's function and every definition of ours that it reaches."""
    return closure([(spec.function.__module__, spec.function.__name__)])


@cache
def reached_by_packs() -> frozenset[Name]:
    """Return what nodes of packs may reach: all that stands in `nodes.packs`, and what this reaches."""
    files = [path.relative_to(ROOT).with_suffix("").parts for path in (ROOT / "nodes" / "packs").rglob("*.py")]
    modules = [".".join(parts).removesuffix(".__init__") for parts in files]
    return frozenset(closure([(name, defined) for name in modules for defined in module(name).definitions]))


def closure(names: list[Name]) -> set[Name]:
    """Return some definitions and all that they reach."""
    todo = list(names)
    seen: set[Name] = set(todo)
    while todo:
        for name in uses(todo.pop()) - seen:
            seen.add(name)
            todo.append(name)
    return seen


def digest(name: Name) -> str:
    return sha256(text(name).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Lock:
    """Versions by node type, and digests of the definitions that nodes reach."""

    versions: dict[str, str]
    digests: dict[str, str]

    def write(self, path: Path) -> None:
        """Write a line for each, and an empty one between, so that changes of two neighbours can be merged."""
        path.write_text(
            "\n\n".join(f"{key} {value}" for part in (self.versions, self.digests) for key, value in part.items())
            + "\n"
        )


def read(path: Path) -> Lock:
    """Read what ``write`` wrote: the name of a definition holds a colon, that of a node type doesn't."""
    rows = [line.rsplit(" ", 1) for line in path.read_text().splitlines() if line]
    return Lock(
        {key: value for key, value in rows if ":" not in key}, {key: value for key, value in rows if ":" in key}
    )


def current() -> Lock:
    specs = sorted(vocabulary(), key=lambda spec: spec.type)
    names = sorted(reached_by_packs().union(*map(reached, specs)))
    versions = {spec.type: str(spec.version) for spec in specs} | {PACKS: str(ADAPTER)}
    return Lock(versions, {":".join(name): digest(name) for name in names})


if __name__ == "__main__":
    current().write(LOCK)
