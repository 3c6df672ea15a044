import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import Fault, StoreError
from server.jobs.records import Job, JobEvent, Progress, Pruned
from server.jobs.store import JobStore, Retention, Wanted
from server.jobs.writer import Change, Fact

pytestmark = pytest.mark.anyio

FULL = Job(
    id="full", state="failed", priority=3, number=-1.5, created=1.0, targets=("9", "12:3"), models=("vae/a",),
    began=2.0, ended=3.0, deadline=9.0, attempts=2, deaths=1, labels=("a", "b"), owner="me", client="c", worker="cpu-0",
    faults=(Fault("f", "wrong", node="1", outputs=("9",)),), outputs={"9": {"files": [], "notes": {"text": ["x"]}}},
    error={"code": "file"},
)  # fmt: skip


@asynccontextmanager
async def opened(folder: Path, **retention: int) -> AsyncIterator[tuple[JobStore, list[JobEvent]]]:
    heard: list[JobEvent] = []
    store = JobStore(folder / "jobs.sqlite", Retention(**retention), lambda events, said: heard.extend(events))
    try:
        yield store, heard
    finally:
        store.close()


def job(id: str, created: float = 0.0, **more: object) -> Job:
    fields = {"id": id, "state": "queued", "priority": 0, "number": 0.0, "created": created, "targets": ()}
    return Job(**fields | more)  # type: ignore[arg-type]


async def put(store: JobStore, *jobs: Job) -> None:
    for each in jobs:
        await store.write(Change(each, (b"digest", b"{}"), [Fact(each.id, 0.0, "queued")]))


async def test_a_job_comes_back_as_it_was_written(tmp_path: Path):
    async with opened(tmp_path) as (store, _):
        await put(store, FULL)
    async with opened(tmp_path) as (store, _):
        assert store.job("full") == FULL
        assert store.job("other") is None
        assert store.body("full") == b"{}"


async def test_numbers_count_up_over_restarts(tmp_path: Path):
    async with opened(tmp_path) as (store, heard):
        await put(store, job("a"), job("b"))
        assert [event.seq for event in heard] == [1, 2]
    async with opened(tmp_path) as (store, heard):
        assert store.seq == 2
        await put(store, job("c"))
        assert [event.seq for event in heard] == [3]
        assert [event.job for event in store.events(1, None, 10).events] == ["b", "c"]
        assert [event.job for event in store.events(0, "b", 10).events] == ["b"]


async def test_of_several_states_in_a_group_the_last_counts(tmp_path: Path):
    async with opened(tmp_path) as (store, heard):
        first = job("a")
        store.add(Change(first, (b"", b""), [Fact("a", 0.0, "queued")]))
        store.add(Change(replace(first, state="running"), facts=[Fact("a", 1.0, "began")]))
        await store.flush()
        found = store.job("a")
        assert found and found.state == "running"
        assert [event.kind for event in heard] == ["queued", "began"]


async def test_what_is_said_comes_after_the_facts_before_it(tmp_path: Path):
    heard: list[object] = []
    store = JobStore(tmp_path / "jobs.sqlite", Retention(), lambda events, said: heard.extend([*events, *said]))
    store.add(Change(facts=[Fact("a", 0.0, "node_started", "{}", "1")]))
    store.add(Change(said=[Progress("a", "1", 1, 2)]))
    await store.flush()
    assert [type(each).__name__ for each in heard] == ["JobEvent", "Progress"]
    store.close()


async def test_many_writers_share_transactions(tmp_path: Path):
    async with opened(tmp_path) as (store, heard):
        commits = 0

        def count(sql: str) -> None:
            nonlocal commits
            commits += sql == "COMMIT"

        store._writing.set_trace_callback(count)
        await asyncio.gather(*(put(store, job(f"j{index}")) for index in range(200)))
        assert len(heard) == 200
        assert commits < 50


async def test_what_nobody_waits_for_is_gathered_and_comes_with_what_somebody_waits_for(tmp_path: Path):
    async with opened(tmp_path) as (store, heard):
        await put(store, job("a"))
        commits: list[str] = []
        store._writing.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        for index in range(100):
            store.add(Change(facts=[Fact("a", float(index), "node_started")]))
        await put(store, job("b"))
        assert len(commits) < 50 and [event.job for event in heard] == [*["a"] * 101, "b"]
        for index in range(100):
            store.add(Change(facts=[Fact("a", float(index), "node_finished")]))
            await asyncio.sleep(0)
        while len(heard) < 202:
            await asyncio.sleep(0.01)
        assert [event.seq for event in heard] == list(range(1, 203))


async def test_a_listing_has_what_was_asked_for(tmp_path: Path):
    async with opened(tmp_path) as (store, _):
        await put(
            store,
            job("a", 1, state="succeeded", owner="me", labels=("x",), began=5.0, ended=9.0),
            job("b", 2, state="failed", owner="you", labels=("x", "y"), began=7.0, ended=8.0),
            job("c", 3, owner="me"),
        )

        def ids(**wanted: object) -> list[str]:
            return [each.id for each in store.page(Wanted(**wanted)).jobs]  # type: ignore[arg-type]

        assert ids() == ["c", "b", "a"]
        assert ids(newest=False, limit=2) == ["a", "b"]
        assert ids(offset=1) == ["b", "a"]
        assert ids(states=("failed", "queued")) == ["c", "b"]
        assert ids(owner="me") == ["c", "a"]
        assert ids(labels=("y",)) == ["b"]
        assert (ids(start="b"), ids(start="a%"), ids(start="_")) == (["b"], [], [])
        assert ids(states=("succeeded", "failed"), order="ended") == ["a", "b"]
        assert ids(states=("succeeded", "failed"), order="seconds", newest=False) == ["b", "a"]
        assert store.page(Wanted(owner="me", limit=1)).total == 2


async def test_the_oldest_jobs_that_ended_are_forgotten_with_their_facts(tmp_path: Path):
    async with opened(tmp_path, jobs=3) as (store, _):
        await put(store, job("waits"))
        for index in range(6):
            await put(store, job(f"j{index}", index, state="succeeded", ended=float(index)))
            store.count_ending()
            await store.flush()
        assert [each.id for each in store.page(Wanted(newest=False)).jobs] == ["waits", "j3", "j4", "j5"]
        found = store.events(0, None, 100)
        assert [event.job for event in found.events] == ["waits", "j3", "j4", "j5"]
        assert found.pruned == Pruned(4)
        assert store.events(4, None, 100).pruned is None
        assert store.rows("SELECT count(*) FROM submissions") == [(4,)]


async def test_batches_that_ended_are_forgotten_as_jobs_are(tmp_path: Path):
    insert = "INSERT INTO batches VALUES (?, 'x', 0, ?, '', '', '{}')"
    async with opened(tmp_path, jobs=2) as (store, _):
        for id, ended in (("old", 0.5), ("new", 9.0), ("open", None)):
            await store.write(Change(statements=[(insert, (id, ended))], facts=[Fact(id, 0.0, "row")]))
        for index in range(3):
            await put(store, job(f"j{index}", state="succeeded", ended=float(index)))
            store.count_ending()
            await store.flush()
        assert store.rows("SELECT id FROM batches ORDER BY id") == [("new",), ("open",)]
        assert [event.job for event in store.events(0, None, 9).events] == ["new", "open", "j2"]


async def test_jobs_that_are_kept_are_not_forgotten(tmp_path: Path):
    async with opened(tmp_path, jobs=0) as (store, _):
        store.kept.add("a")
        await put(store, *(job(id, state="succeeded", ended=1.0) for id in "abc"))
        store.count_ending()
        await store.flush()
        assert [each.id for each in store.page(Wanted()).jobs] == ["a"]


async def test_bytes_bound_the_history_too(tmp_path: Path):
    async with opened(tmp_path, nbytes=2**20) as (store, _):
        for index in range(400):
            ended = job(f"j{index:03}", index, state="succeeded", ended=float(index))
            store.add(Change(ended, (b"", b"x" * 10_000), [Fact(ended.id, 0.0, "succeeded")]))
            store.count_ending()
            if index % 20 == 0:
                await store.flush()
        await store.flush()
        left = store.page(Wanted(limit=1000))
        assert 50 < left.total < 330
        assert left.jobs[0].id == "j399"


async def test_numbers_do_not_start_again_when_everything_is_forgotten(tmp_path: Path):
    async with opened(tmp_path) as (store, _):
        await put(store, job("a", state="succeeded", ended=1.0))
        await store.forget(["a"])
        assert store.job("a") is None
    async with opened(tmp_path) as (store, heard):
        await put(store, job("b"))
        assert [event.seq for event in heard] == [2]


async def test_a_disk_that_fails_refuses_who_waits_and_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("server.jobs.writer.RETRY_SECONDS", 0.05)
    async with opened(tmp_path) as (store, heard):
        await put(store, job("a"))
        other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
        store._writing.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        store.add(Change(facts=[Fact("a", 1.0, "began")]))
        with pytest.raises(StoreError, match="can't be written"):
            await put(store, job("b"))
        other.execute("COMMIT")
        other.close()
        await store.flush()
        assert store.job("b") is None
        assert [event.kind for event in heard] == ["queued", "began"]


async def test_a_damaged_database_is_an_error_that_says_so(tmp_path: Path):
    (tmp_path / "jobs.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="can't be opened"):
        JobStore(tmp_path / "jobs.sqlite", Retention(), lambda events, said: None)
