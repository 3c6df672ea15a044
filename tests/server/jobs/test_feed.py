import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from server.jobs import feed as feeds
from server.jobs.feed import Feed
from server.jobs.records import Events, Fleeting, JobEvent, Live, PackEvent, Preview, Progress, Pruned

pytestmark = pytest.mark.anyio


def fact(seq: int, job: str = "a", kind: str = "node_started", node: str | None = None) -> JobEvent:
    return JobEvent(seq, job, node, 0.0, kind, "{}")  # type: ignore[arg-type]


class Disk:
    """Facts that were published, to be read again: few at a time, so that a reader has to ask more than once."""

    def __init__(self) -> None:
        self.facts: list[JobEvent] = []
        self.pruned = 0
        self.reads = 0
        self.looks: list[bool] = []
        self.feed = Feed(0, self.reread, self.looks.append)

    async def reread(self, since: int) -> Events:
        self.reads += 1
        await asyncio.sleep(0)
        found = tuple(fact for fact in self.facts if fact.seq > max(since, self.pruned))[:300]
        return Events(found, Pruned(self.pruned) if since < self.pruned else None)

    def publish(self, *facts: JobEvent, said: Sequence[Fleeting] = ()) -> None:
        self.facts += facts
        self.feed.publish(facts, said)


def seqs(batch: Sequence[Live]) -> list[int]:
    return [each.seq for each in batch if isinstance(each, JobEvent)]


async def test_a_reader_hears_facts_as_they_come():
    disk = Disk()
    with disk.feed.join(None, lambda job: True, False) as reader:
        disk.publish(fact(1), fact(2))
        assert seqs(await reader.next()) == [1, 2]
        disk.publish(fact(3))
        assert seqs(await reader.next()) == [3]
        assert disk.reads == 0


async def test_a_reader_gets_what_it_missed_then_what_comes():
    disk = Disk()
    disk.publish(*map(fact, range(1, 1001)))
    with disk.feed.join(10, lambda job: True, False) as reader:
        heard: list[int] = []
        while len(heard) < 1490:
            heard += seqs(await reader.next())
            if len(disk.facts) < 1500:
                disk.publish(fact(len(disk.facts) + 1))
        assert heard == list(range(11, 1501))


async def test_a_slow_reader_loses_no_fact_and_holds_few(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeds, "MOST_WAITING", 100)
    disk = Disk()
    with disk.feed.join(None, lambda job: True, False) as reader:
        for seq in range(1, 5001):
            disk.publish(fact(seq))
            assert len(reader._facts) <= 100
        heard: list[int] = []
        while len(heard) < 5000:
            heard += seqs(await reader.next())
        assert heard == list(range(1, 5001))
        disk.publish(fact(5001))
        assert seqs(await reader.next()) == [5001]


async def test_a_reader_hears_only_what_it_wants():
    disk = Disk()
    disk.publish(fact(1, "a"), fact(2, "b"))
    with disk.feed.join(0, lambda job: job == "b", False) as reader:
        assert seqs(await reader.next()) == [2]
        disk.publish(fact(3, "a"))
        disk.publish(fact(4, "b"), said=[Progress("a", "1", 1, 2)])
        assert seqs(await reader.next()) == [4]


async def test_facts_that_are_gone_are_said_to_be():
    disk = Disk()
    disk.publish(*map(fact, range(1, 11)))
    disk.pruned = 6
    with disk.feed.join(2, lambda job: True, False) as reader:
        first, *rest = await reader.next()
        assert first == Pruned(6)
        assert seqs(rest) == [7, 8, 9, 10]


async def test_of_progress_and_previews_the_newest_of_each_node_stays():
    disk = Disk()
    with disk.feed.join(None, lambda job: True, True) as reader, disk.feed.join(None, lambda job: True, False) as other:
        for step in range(5):
            disk.publish(said=[Progress("a", "1", step, 5), Preview("a", "1", bytes([step]))])
        disk.publish(said=[Progress("a", "2", 1, 5)])
        assert await reader.next() == [Progress("a", "1", 4, 5), Progress("a", "2", 1, 5), Preview("a", "1", b"\4")]
        assert await other.next() == [Progress("a", "1", 4, 5), Progress("a", "2", 1, 5)]


@pytest.mark.parametrize("over", [fact(1, "a", "node_finished", "1"), fact(1, "a", "failed"), fact(1, "a", "requeued")])
async def test_progress_of_what_is_over_is_not_told(over: JobEvent):
    disk = Disk()
    with disk.feed.join(None, lambda job: True, True) as reader:
        disk.publish(said=[Progress("a", "1", 1, 5), Preview("a", "1", b""), Progress("b", "1", 1, 5)])
        disk.publish(over)
        assert await reader.next() == [over, Progress("b", "1", 1, 5)]


async def test_previews_are_made_only_while_somebody_looks():
    disk = Disk()
    with disk.feed.join(None, lambda job: True, False):
        with disk.feed.join(None, lambda job: True, True):
            assert disk.looks == [False, True]
        assert disk.looks[-1] is False


async def test_one_reader_that_never_reads_keeps_nothing_from_another():
    disk = Disk()
    with disk.feed.join(None, lambda job: True, True), disk.feed.join(None, lambda job: True, True) as reader:
        heard: list[int] = []
        for seq in range(1, 10_001):
            disk.publish(fact(seq), said=[Preview("a", str(seq % 7), b"x")])
            if seq % 50 == 0:
                heard += seqs(await reader.next())
        assert heard == list(range(1, 10_001))
        assert all(one < two for one, two in pairwise(heard))


KEPT = (JobEvent, PackEvent)


def sent(batch: Sequence[Live]) -> list[int | str]:
    """Return the numbers of facts, and what packs sent between them."""
    return [item.seq if isinstance(item, JobEvent) else item.event for item in batch if isinstance(item, KEPT)]


async def test_what_a_node_pack_sends_is_heard_after_the_facts_before_it():
    disk = Disk()
    with disk.feed.join(None, lambda job: True, False, True) as reader:
        disk.publish(
            fact(1), fact(2), fact(3), said=[PackEvent("a", "{}", "", after=1), PackEvent("b", "{}", "", after=3)]
        )
        assert sent(await reader.next()) == [1, "a", 2, 3, "b"]
        disk.publish(said=[PackEvent("c", "{}", "", after=3)])
        assert sent(await reader.next()) == ["c"]


async def test_who_reads_slowly_gets_what_packs_send_in_its_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeds, "MOST_WAITING", 100)
    disk = Disk()
    with disk.feed.join(None, lambda job: True, False, True) as reader:
        for seq in range(1, 1001):
            disk.publish(fact(seq), said=[PackEvent("a", "{}", "", after=seq)] if seq % 500 == 0 else ())
        heard: list[int | str] = []
        while len(heard) < 1002:
            heard += sent(await reader.next())
        assert heard == [*range(1, 501), "a", *range(501, 1001), "a"]


async def test_who_asks_for_none_hears_nothing_of_packs():
    disk = Disk()
    with disk.feed.join(None, lambda job: True, False) as reader:
        disk.publish(said=[PackEvent("a", "{}", "")])
        disk.publish(fact(1))
        assert sent(await reader.next()) == [1]
