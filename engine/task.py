"""One node in one run, and the values that the run keeps in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from engine.binding import BoundNode
from engine.call import Outcome
from engine.expansion import Expansion
from engine.keys import CallInputs, Digests, Static
from engine.plan import BLOCKED, blocked_row, joined, needed_links
from engine.rows import Row
from engine.schema import Block, LinkTo


@dataclass(slots=True, eq=False)
class Task:
    """A node on its way: ``outputs`` are set when its digests are known, ``done`` when its values can be had too.

    ``sources`` are the ids of the nodes it needs; ``asked`` the lazy inputs it needs, to be changed by ``ask`` only;
    ``pending`` counts the users that are not done; ``forced`` means that it must run though its row is there;
    ``shows`` that it expanded into a graph with output nodes; ``linked`` that it is among the users of its sources.
    ``referred`` are values that its inputs refer to and that were gone, with the ids of the nodes that make them.
    """

    node: BoundNode
    asked: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    why: str = ""
    static: Static | None = None
    calls: Sequence[CallInputs] = ()
    rows: Sequence[Row | None] = ()
    outputs: tuple[Digests, ...] | None = None
    expansions: dict[int, Expansion] = field(default_factory=dict)
    users: list["Task"] = field(default_factory=list)
    held: tuple[bytes, ...] = ()
    pending: int = 0
    busy: bool = False
    done: bool = False
    forced: bool = False
    shows: bool = False
    linked: bool = False
    referred: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._find_sources()

    def ask(self, names: Iterable[str]) -> None:
        """Need more lazy inputs."""
        self.asked = self.asked.union(names)
        self._find_sources()

    def refer(self, digest: bytes, producer: str) -> None:
        """Need a value that no link brings."""
        self.referred[digest] = producer
        self._find_sources()

    def _find_sources(self) -> None:
        linked = [link.node for link in needed_links(self.node, self.asked).values()]
        self.sources = tuple(dict.fromkeys((*linked, *self.referred.values())))

    def missing(self, whole: Callable[[bytes, Row], bool]) -> tuple[int, ...]:
        """Return the calls that must be made: those without a row, or whose files are gone, or all when forced."""
        output_node = self.node.spec.output_node
        return tuple(
            [
                index
                for index, (call, row) in enumerate(zip(self.calls, self.rows, strict=True))
                if row is None
                or row.asks
                or (output_node and not whole(call.key, row))
                or (self.forced and not blocked_row(self.node, call))
            ]
        )

    def stand_ins(self) -> list[LinkTo]:
        """Return the outputs of inner nodes that stand for its own, where it expanded."""
        return [link for expansion in self.expansions.values() for link in expansion.links]

    def joined(self) -> tuple[Digests, ...]:
        """Return what its calls put on its wires."""
        return joined(self.rows, len(self.node.spec.outputs))

    def asks(self) -> Set[str]:
        """Return the lazy inputs that its rows ask for and that it does not have yet."""
        if self.node.spec.lazy is None:
            return frozenset()
        return {name for row in self.rows if row and row.asks for name in row.asks} - self.asked


class Held:
    """The values that a run keeps because somebody will need them, with how many producers gave each."""

    def __init__(self) -> None:
        self._values: dict[bytes, tuple[Any, int]] = {}

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._values or digest == BLOCKED

    def get(self, digest: bytes, otherwise: Callable[[bytes], Any]) -> Any:
        """Return a value, or ask for it elsewhere."""
        if digest == BLOCKED:
            return Block()
        found = self._values.get(digest)
        return found[0] if found is not None else otherwise(digest)

    def hold(self, task: Task, outcome: Outcome) -> None:
        """Keep what a call gave until ``release``."""
        self.keep(task, {digest: each.value for digest, each in outcome.values.items()})

    def keep(self, task: Task, values: Mapping[bytes, Any]) -> None:
        """Keep values for a task until ``release``."""
        for digest, value in values.items():
            _, count = self._values.get(digest, (None, 0))
            self._values[digest] = (value, count + 1)
        task.held += tuple(values)

    def release(self, task: Task) -> None:
        """Let go of what a task gave."""
        for digest in task.held:
            value, count = self._values.pop(digest, (None, 0))
            if count > 1:
                self._values[digest] = (value, count - 1)
        task.held = ()

    def drop(self, digests: Iterable[bytes]) -> None:
        """Let go of values that are not what they were, whoever gave them. From any thread."""
        for digest in digests:
            self._values.pop(digest, None)
