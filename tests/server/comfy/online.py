"""A client of the routes of ComfyUI, without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from server.app.application import application
from server.app.services import Services
from tests.server.words import done, served


@asynccontextmanager
async def client(folder: Path, **more: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, Services]]:
    async with served(folder, **more) as services:
        transport = httpx2.ASGITransport(application(services))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http, services


async def run(http: httpx2.AsyncClient, services: Services, graph: dict[str, Any], **more: Any) -> str:
    """Submit a prompt, wait for its end and return its id."""
    answered = await http.post("/prompt", json={"prompt": graph, **more})
    assert answered.status_code == 200, answered.text
    id = str(answered.json()["prompt_id"])
    await done(services.jobs, id)
    return id
