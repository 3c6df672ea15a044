import asyncio
from pathlib import Path

import pytest

from server.app.system import rss
from server.workers.contract import Uses
from tests.server.app.test_jobs import client
from tests.server.words import after, ran, shown

pytestmark = pytest.mark.anyio


async def test_workers_are_listed(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        (worker,) = (await http.get("/api/v1/workers")).json()["workers"]
        assert (worker["name"], worker["device"], worker["job"], worker["starts"]) == ("cpu-0", "cpu", None, 1)
        assert (worker["state"], worker["silent"], worker["memory"]) == ("idle", 0, None)
        services.dispatcher.workers[0].uses = Uses(8, 6, 2, 1)
        (worker,) = (await http.get("/api/v1/workers")).json()["workers"]
        assert worker["memory"] == {"total": 8, "free": 6, "reserved": 2, "used": 1}
        services.dispatcher.workers[0].bury()
        (worker,) = (await http.get("/api/v1/workers")).json()["workers"]
        assert (worker["state"], worker["rss"]) == ("starting", 0)


async def test_workers_let_go_of_models(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        (worker,) = services.dispatcher.workers

        async def becomes(nbytes: int) -> None:
            async with asyncio.timeout(20):
                while worker.uses.reserved != nbytes:
                    await asyncio.sleep(0.01)

        await ran(services.jobs, after(Load={"value": 1, "nbytes": 100}))
        await becomes(100)
        assert (await http.post("/api/v1/workers/free", json={"models": False})).status_code == 204
        assert (await http.post("/api/v1/workers/free", json={"models": "all"})).status_code == 422
        await ran(services.jobs, shown(2))
        assert worker.uses.reserved == 100
        assert (await http.post("/api/v1/workers/free", json={})).status_code == 204
        await becomes(0)


async def test_what_the_server_uses(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await ran(services.jobs, shown(1))
        services.engine.store.flush()
        system = (await http.get("/api/v1/system")).json()
        assert 10e6 < system["rss"] < system["memory"]["total"]
        assert system["store"]["limit"] == 20 * 2**30
        assert 0 < system["disk"]["free"] < system["disk"]["total"]


def test_a_process_that_is_gone_has_no_memory():
    assert rss(2**22 + 1) == 0
