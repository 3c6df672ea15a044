"""What a run would do, before it does it: a pure function of the graph and a view of the memo.

Every node that a wanted node needs is *remembered*, *runs* (and why), or *depends*: something above it runs, and an
equal value would still be remembered.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

from blake3 import blake3

from engine.binding import BoundNode
from engine.errors import LoomisError, shortened
from engine.failures import located
from engine.keys import CallInputs, Digests, Static, calls, static_part
from engine.rows import Ran, Row
from engine.schema import Block, FileSource
from engine.validate import BoundGraph
from engine.values import pack

State = Literal["remembered", "runs", "depends"]
BLOCKED = pack(Block()).digest
"""The digest on the wires of a blocked node."""
DEPENDS = "something above it runs"
NOTHING: frozenset[str] = frozenset()
GONE = "its value is gone from the store"
NO_MARKS: Mapping[str, Digests] = MappingProxyType({})


class MemoView(Protocol):
    """What the planner asks of the memo."""

    def row(self, key: bytes) -> Row | None: ...

    def has(self, digest: bytes) -> bool: ...

    def text(self, digest: bytes) -> str | None:
        """Return the text with this digest, if it is there."""

    def whole(self, key: bytes, row: Row) -> bool:
        """Whether the files of an output node are on disk or can be written again."""

    def seconds(self, type: str) -> tuple[float, float] | None:
        """Return the range of seconds that this node type took, or None when it never ran."""

    def ran(self, type: str) -> list[Ran]:
        """Return what went into the last runs of a node type and the seconds that they took, newest first."""


class Step(NamedTuple):
    """What happens to one node: its ``outputs`` where they are known, ``asked`` the lazy inputs that it needs."""

    node: str
    state: State
    why: str
    calls: Sequence[CallInputs] = ()
    rows: Sequence[Row | None] = ()
    outputs: tuple[Digests, ...] | None = None
    asked: frozenset[str] = frozenset()
    seconds: tuple[float, float] = (0.0, 0.0)
    static: Static | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps by node id, sources first."""

    steps: dict[str, Step]

    def nodes(self, state: State) -> tuple[str, ...]:
        """Return the ids of the nodes in a state."""
        return tuple(id for id, step in self.steps.items() if step.state == state)

    @property
    def seconds(self) -> tuple[float, float]:
        """Expected seconds of work, lowest and highest, as if nothing overlapped."""
        steps = self.steps.values()
        return sum(step.seconds[0] for step in steps), sum(step.seconds[1] for step in steps)


@dataclass(slots=True)
class Planner:
    """The facts that a plan is made from."""

    graph: BoundGraph
    memo: MemoView
    profile: tuple[str, ...]
    fingerprint: Callable[[FileSource, str], str]

    def plan(self, want_values: Collection[str] = ()) -> Plan:
        """Return what a run of the graph's targets would do.

        ``want_values`` are nodes whose values are asked for, not only their files.
        """
        steps: dict[str, Step] = {}
        asked: dict[str, frozenset[str]] = {}
        stack = list(reversed(self.graph.targets))
        while stack:
            id = stack[-1]
            if id in steps:
                stack.pop()
                continue
            node = self.graph.nodes[id]
            links = needed_links(node, asked.get(id, NOTHING))
            todo = [link.node for link in links.values() if link.node not in steps]
            if todo:
                stack += reversed(todo)
                continue
            step = self._step(node, steps, asked.get(id, NOTHING))
            if isinstance(step, frozenset):
                asked[id] = asked.get(id, NOTHING) | step
                continue
            steps[id] = step
            stack.pop()
        self._mark_evicted(steps, want_values)
        return Plan(steps)

    def _step(self, node: BoundNode, steps: Mapping[str, Step], asked: frozenset[str]) -> Step | frozenset[str]:
        """Return what happens to a node, or the lazy inputs that have to be looked at first."""
        known = known_digests(node, steps, asked)
        static = static_part(node, self.profile, self.fingerprint)
        if known is None:
            seconds = (0.0, self._seconds(node)[1])
            return Step(node.id, "depends", DEPENDS, asked=asked, seconds=seconds, static=static)
        found = calls(node.spec, static, known, file_marks(node, known, self.memo.text, self.fingerprint))
        rows = tuple([blocked_row(node, call) or self.memo.row(call.key) for call in found])
        if node.spec.lazy is not None:
            more = frozenset(name for row in rows if row and row.asks for name in row.asks) - asked
            if more:
                return more
        if all(row and not row.asks for row in rows):
            outputs = joined(rows, len(node.spec.outputs))
            return Step(node.id, "remembered", "", found, rows, outputs, asked, static=static)
        why = "it always runs" if static.unique else reason(node, known, self.memo)
        return Step(node.id, "runs", why, found, rows, None, asked, self._seconds(node), static)

    def _seconds(self, node: BoundNode) -> tuple[float, float]:
        """Return how long a node should take: as its type did lately, in proportion to its effort where it says so."""
        efforts = [port.name for port in node.spec.inputs if port.effort and port.name in node.literals]
        if now := _amount(node.literals, efforts) if efforts else 0.0:
            pairs = [(_amount(trace, efforts), seconds) for trace, seconds in self.memo.ran(node.spec.type)]
            rates = [seconds / amount for amount, seconds in pairs if amount]
            if rates:
                return min(rates) * now, max(rates) * now
        return self.memo.seconds(node.spec.type) or (0.0, 0.0)

    def _mark_evicted(self, steps: dict[str, Step], want_values: Collection[str]) -> None:
        """Let remembered nodes run again whose values are gone and needed."""
        work = [id for id, step in steps.items() if step.state == "runs"]
        for id in self.graph.targets:
            step = steps[id]
            gone = not all(
                self.memo.whole(call.key, row) for call, row in zip(step.calls, step.rows, strict=True) if row
            )
            if step.state == "remembered" and (gone or (id in want_values and not self._has_all(step))):
                steps[id] = self._evicted(step)
                work.append(id)
        for id in work:
            for link in needed_links(self.graph.nodes[id], steps[id].asked).values():
                source = steps[link.node]
                if source.state == "remembered" and not self._has_all(source, link.slot):
                    steps[link.node] = self._evicted(source)
                    work.append(link.node)

    def _has_all(self, step: Step, slot: int | None = None) -> bool:
        slots = step.outputs or ()
        return all(
            self.memo.has(digest) or digest == BLOCKED
            for digests in (slots if slot is None else slots[slot : slot + 1])
            for digest in digests
        )

    def _evicted(self, step: Step) -> Step:
        seconds = self._seconds(self.graph.nodes[step.node])
        return step._replace(state="runs", why=GONE, seconds=seconds)


def _amount(values: Mapping[str, Any], names: Sequence[str]) -> float:
    """Return how much there is to do: the product of some numbers, 0 where one is not there."""
    found = [values.get(name) for name in names]
    return math.prod(value if isinstance(value, int | float) else 0 for value in found)


def needed_links(node: BoundNode, asked: Collection[str]) -> Mapping[str, Any]:
    """Return the links that a node needs: all that are not lazy, and the lazy ones it asked for."""
    if node.spec.lazy is None:
        return node.links
    return {name: link for name, link in node.links.items() if not node.spec.ports[name].lazy or name in asked}


class HasOutputs(Protocol):
    @property
    def outputs(self) -> tuple[Digests, ...] | None: ...


class Sources(Protocol):
    """Nodes by id, as far as their outputs are known."""

    def __getitem__(self, id: str, /) -> HasOutputs: ...


def known_digests(node: BoundNode, sources: Sources, asked: Collection[str]) -> dict[str, Digests] | None:
    """Return the digests on a node's needed links, or None when one is not known yet."""
    known: dict[str, Digests] = {}
    for name, link in needed_links(node, asked).items():
        outputs = sources[link.node].outputs
        if outputs is None:
            return None
        known[name] = outputs[link.slot]
    return known


def reason(node: BoundNode, known: Mapping[str, Digests], memo: MemoView) -> str:
    """Say why a node runs: what changed since the most similar earlier run of its type."""
    before = [trace for trace, _ in memo.ran(node.spec.type)]
    if not before:
        return "never run"
    now = trace(node, known)
    changed = min(([name for name in now if now[name] != then.get(name)] for then in before), key=len)
    if changed:
        return f"{', '.join(changed)} changed"
    if node.spec.files:
        return f"the file of {', '.join(node.spec.files)} changed, or its result is gone"
    return "its result is gone"


def file_marks(
    node: BoundNode,
    known: Mapping[str, Digests],
    text: Callable[[bytes], str | None],
    fingerprint: Callable[[FileSource, str], str],
) -> Mapping[str, Digests]:
    """Return fingerprints for linked inputs that name files. ``text`` gives the text with a digest, if it is there.

    Raises:
        LoomisError: a file can't be read, or a name leads out of its folder.
    """
    if not node.spec.files:
        return NO_MARKS
    marks: dict[str, Digests] = {}
    for name, source in node.spec.files.items():
        if name in known:
            names = [text(digest) for digest in known[name]]
            try:
                marks[name] = tuple(fingerprint(source, found).encode() if found else b"?" for found in names)
            except LoomisError as error:
                raise located(error, node) from error
    return marks


def blocked_row(node: BoundNode, call: CallInputs) -> Row | None:
    """Return the result of a call that gets a block: it passes the block on. None for any other call."""
    for digests in call.inputs.values():
        if BLOCKED in digests:
            return Row(outputs=((BLOCKED,),) * len(node.spec.outputs))
    return None


def joined(rows: Collection[Row | None], slots: int) -> tuple[Digests, ...]:
    """Return what lies on each output wire after all calls."""
    if len(rows) == 1:
        (row,) = rows
        return row.outputs if row else ()
    return tuple(tuple(digest for row in rows if row for digest in row.outputs[slot]) for slot in range(slots))


def trace(node: BoundNode, known: Mapping[str, Digests]) -> dict[str, Any]:
    """Return what goes into a node in few bytes, to say later what changed."""
    brief: dict[str, Any] = {name: _brief(value) for name, value in node.literals.items()}
    for name, digests in known.items():
        brief[name] = digests[0][:8] if digests else b""
    return brief


def _brief(value: Any) -> Any:
    if isinstance(value, float) or (isinstance(value, int) and -(2**63) <= value < 2**64):
        return value
    text = value if isinstance(value, str) else shortened(value)
    return text if len(text) <= 80 else f"{text[:60]} {blake3(text.encode('utf-8', 'surrogatepass')).hexdigest(8)}"
