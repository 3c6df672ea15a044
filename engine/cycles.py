"""Nodes that depend on each other: every cycle, named as a -> b -> a."""

from collections.abc import Collection, Mapping

from engine.binding import BoundNode
from engine.errors import Fault, ValidationError

REMOVE = "Remove one of these links."


def cycle_faults(bound: Mapping[str, BoundNode]) -> list[Fault]:
    """Return one fault per node of a cycle; its message is the cycle, a -> b -> a."""
    users: dict[str, list[str]] = {}
    waits: dict[str, int] = {}
    for id, node in bound.items():
        sources = [link.node for link in node.links.values() if link.node in bound]
        waits[id] = len(sources)
        for source in sources:
            users.setdefault(source, []).append(id)
    free = [id for id, count in waits.items() if not count]
    for id in free:
        for user in users.get(id, ()):
            waits[user] -= 1
            if not waits[user]:
                free.append(user)
    left = {id: {link.node for link in bound[id].links.values() if waits.get(link.node)} for id in bound if waits[id]}
    return [fault for cycle in find_cycles(left) for fault in _faults_of_cycle(cycle, bound)]


def find_cycles(sources: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return a cycle of every knot of nodes that need each other."""
    found: list[list[str]] = []
    for knot in _knots(sources):
        path: dict[str, None] = {}
        id = min(knot)
        while id not in path:
            path[id] = None
            id = min(source for source in sources[id] if source in knot)
        walk = list(path)
        found.append(walk[walk.index(id) :][::-1])
    return found


def _knots(sources: Mapping[str, Collection[str]]) -> list[set[str]]:
    """Return the strongly connected components that have a cycle (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: dict[str, None] = {}
    knots: list[set[str]] = []
    for root in sources:
        path = [] if root in number else [(root, iter(sources[root]))]
        while path:
            id, rest = path[-1]
            if id not in number:
                number[id] = low[id] = len(number)
                open_[id] = None
            new = next((source for source in rest if source in sources and source not in number), None)
            if new is not None:
                path.append((new, iter(sources[new])))
                continue
            path.pop()
            low[id] = min([low[id], *(low[source] for source in sources[id] if source in open_)])
            if low[id] == number[id]:
                knot = {id}
                while (last := open_.popitem()[0]) != id:
                    knot.add(last)
                if len(knot) > 1 or id in sources[id]:
                    knots.append(knot)
    return knots


def _faults_of_cycle(cycle: list[str], bound: Mapping[str, BoundNode], hint: str = REMOVE) -> list[Fault]:
    ids = [*cycle, cycle[0]]
    got = _path(ids)
    message = f"The nodes depend on each other: {_path([f'{id} ({bound[id].spec.type})' for id in ids])}."
    return [
        Fault(
            "dependency_cycle",
            message,
            node=id,
            class_type=bound[id].spec.type,
            got=got,
            expected="a graph without cycles",
            hint=hint,
        )
        for id in cycle
    ]


def _path(names: list[str]) -> str:
    """Return a -> b -> c; of a long path its ends."""
    return " -> ".join(names if len(names) <= 20 else [*names[:10], "...", *names[-10:]])


def cycle_error(
    waits: Mapping[str, Collection[str]], bound: Mapping[str, BoundNode], hint: str = REMOVE
) -> ValidationError:
    """Return the error for nodes that wait for each other, which an expansion can bring about."""
    return ValidationError([fault for cycle in find_cycles(waits) for fault in _faults_of_cycle(cycle, bound, hint)])
