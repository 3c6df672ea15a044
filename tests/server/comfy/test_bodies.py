import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request

from engine.errors import InputError
from engine.formats.jsontext import LARGE
from server.comfy.bodies import PromptBody, read_body, read_json

pytestmark = pytest.mark.anyio

NODES = {str(id): {"class_type": "Number", "inputs": {"value": "x" * 100}} for id in range(10_000)}


def request(body: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


async def turns(reading: Any) -> tuple[Any, int]:
    """Return what is read, and how often others had their turn on the event loop meanwhile."""
    task, count = asyncio.ensure_future(reading), 0
    while not task.done():
        await asyncio.sleep(0)
        count += 1
    return await task, count


async def test_while_a_large_body_is_read_others_have_their_turn():
    raw = json.dumps({"prompt": NODES}).encode()
    read, count = await turns(read_json(request(raw)))
    assert len(raw) > LARGE and read == {"prompt": NODES} and count > 10


async def test_a_large_body_that_is_no_json_is_refused_as_a_small_one_is():
    for body in (b"{", b"{" + b" " * LARGE):
        with pytest.raises(InputError, match="not JSON"):
            await read_body(request(body), PromptBody)
