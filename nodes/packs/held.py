"""Values that a foreign node puts straight into the graph that it expands to, where a workflow has literals alone.

Each becomes a node of its own that gives the value. The value lives as long as the run that has the graph.
"""

import uuid
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from engine.context import Context, Environment
from engine.errors import InputError
from engine.graph import is_link
from engine.node import Registry
from engine.schema import NodeSpec
from engine.types import Anything
from engine.values import NoByteForm, pack
from nodes.lazy import lazy

objects = lazy("nodes.packs.objects")

HELD = "HeldValue"
PLAIN = (str, int, float, bool, type(None))


class Kept:
    """One value that is held."""

    __slots__ = ("__weakref__", "value")

    def __init__(self, value: Any) -> None:
        self.value = value


class Held:
    """The values that are held in a process. A service of the engine."""

    def __init__(self, environment: Environment) -> None:
        self._kept: WeakValueDictionary[str, Kept] = WeakValueDictionary()

    def value(self, token: str) -> Any:
        """Return a value.

        Raises:
            InputError: its run is over.
        """
        kept = self._kept.get(token)
        if kept is None:
            raise InputError("A value that a node pack made is gone.", got=token, hint="Run the workflow again.")
        return kept.value

    def graph(self, graph: Mapping[str, Any], registry: Registry) -> tuple[dict[str, Any], tuple[Kept, ...]]:
        """Return a graph in the form of workflow files, and what it needs kept alive."""
        made: dict[str, Any] = {}
        kept: list[Kept] = []
        for id, node in graph.items():
            spec = registry.specs.get(node["class_type"])
            inputs = {}
            for name, value in node.get("inputs", {}).items():
                if is_link(value) or _is_plain(value):
                    inputs[name] = {"__value__": value} if isinstance(value, list) and not is_link(value) else value
                    continue
                port = spec.ports.get(name) if spec else None
                token, each = self._keep(objects.from_foreign(port.type if port else "*", value))
                kept.append(each)
                made[f"held-{token}"] = {"class_type": HELD, "inputs": {"token": token}}
                inputs[name] = [f"held-{token}", 0]
            made[str(id)] = {**node, "inputs": inputs}
        return made, tuple(kept)

    def _keep(self, value: Any) -> tuple[str, Kept]:
        try:
            token = pack(value).digest.hex()
        except NoByteForm:
            token = uuid.uuid4().hex
        kept = self._kept.get(token)
        if kept is None:
            kept = self._kept[token] = Kept(value)
        return token, kept


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(item) for name, item in value.items())
    return type(value) in PLAIN


def held_value(ctx: Context, token: str) -> Anything:
    """Give a value that another node made while this workflow runs."""
    return ctx.use(Held).value(token)


def held_spec() -> NodeSpec:
    """Return the node type that gives held values. It is no node for workflows."""
    registry = Registry()
    registry.node(HELD, category="packs", dev_only=True)(held_value)
    return registry[HELD]
