"""Sessions on disk: they come back as they were, and are not kept for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from server.jobs.store import JobStore, Retention
from server.session import store as sessions
from server.session.history import Version
from server.session.store import SessionStore

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
