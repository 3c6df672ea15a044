"""Sessions on disk: they come back as they were, and are not kept for ever."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from server.jobs.database import MIGRATIONS, connect
from server.jobs.store import JobStore, Retention
from server.jobs.writer import Change
from server.session import store as sessions
from server.session.history import Version
from server.session.store import SessionStore
from tests.server.jobs.test_store import job

GRAPH = {"1": {"class_type": "Number", "inputs": {"value": 2**64 - 1, "text": "\ud800 é"}, "_meta": {"pos": [1, 2.5]}}}


def run(folder: Path, test: Callable[[SessionStore, JobStore], Awaitable[None]]) -> None:
    async def main() -> None:
        jobs = JobStore(folder / "jobs.db", Retention(), lambda events, said: None)
        try:
            await test(SessionStore(jobs), jobs)
        finally:
            jobs.close()

    asyncio.run(main())


def test_a_graph_comes_back_as_it_was_last_written(tmp_path: Path) -> None:
    async def write(store: SessionStore, jobs: JobStore) -> None:
        store.keep("a", 3, Version(GRAPH, {"nodes": []}))
        store.keep("b", 1, Version({}))
        store.keep("a", 4, Version(GRAPH, None))

    async def read(store: SessionStore, jobs: JobStore) -> None:
        assert await store.find("a") == (4, Version(GRAPH))
        assert await store.find("b") == (1, Version({}))
        store.forget("a")
        assert await store.find("a") is None

    run(tmp_path, write)
    run(tmp_path, read)


def test_those_that_are_old_or_too_many_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: SessionStore, jobs: JobStore) -> None:
        monkeypatch.setattr(sessions, "MOST", 2)
        for id in "abc":
            store.keep(id, 1, Version({}))
        assert [bool(await store.find(id)) for id in "abc"] == [False, True, True]
        monkeypatch.setattr(sessions, "KEPT_SECONDS", -1.0)
        store.keep("d", 1, Version({}))
        assert await store.find("b") is None

    run(tmp_path, test)


def test_those_that_take_too_much_are_forgotten_and_one_that_is_too_large_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(length: int) -> Version:
        return Version({"1": {"class_type": "Text", "inputs": {"text": "x" * length}}})

    async def test(store: SessionStore, jobs: JobStore) -> None:
        monkeypatch.setattr(sessions, "MOST_BYTES", 5_000)
        monkeypatch.setattr(sessions, "LARGEST", 3_000)
        for id in "abc":
            store.keep(id, 1, large(2_000))
        assert [bool(await store.find(id)) for id in "abc"] == [False, True, True]
        store.keep("b", 2, large(3_000))
        assert await store.find("b") == (1, large(2_000))
        store.keep("b", 3, large(10))
        store.keep("d", 1, large(2_000))
        assert [bool(await store.find(id)) for id in "bcd"] == [True, True, True]

    run(tmp_path, test)


def test_sessions_push_no_job_out_of_the_history(tmp_path: Path) -> None:
    async def test() -> None:
        jobs = JobStore(tmp_path / "jobs.db", Retention(nbytes=2**20), lambda events, said: None)
        ended = job("a", state="succeeded", ended=1.0)
        await jobs.write(Change(ended, (b"", b"{}")))
        SessionStore(jobs).keep("s", 1, Version({"1": {"class_type": "Text", "inputs": {"text": "x" * 2**21}}}))
        await jobs.flush()
        for _ in range(200):
            jobs.count_ending()
        await jobs.flush()
        assert jobs.job("a") == ended
        jobs.close()

    asyncio.run(test())


def test_sessions_of_an_older_database_are_there(tmp_path: Path) -> None:
    connection = connect(tmp_path / "jobs.db")
    connection.executescript("".join(MIGRATIONS[:3]) + "PRAGMA user_version = 3;")
    connection.execute("INSERT INTO sessions VALUES ('a', ?, 7, ?)", (time.time(), json.dumps({"prompt": GRAPH})))
    connection.close()

    async def test(store: SessionStore, jobs: JobStore) -> None:
        store.keep("b", 1, Version({}))
        assert await store.find("a") == (7, Version(GRAPH))
        assert jobs.rows("SELECT nbytes = length(body) FROM sessions") == [(1,), (1,)]

    run(tmp_path, test)
