import json

import pytest

from engine.errors import InputError
from engine.formats.jsontext import LARGE
from server.app.bodies import WorkflowBody, read_body
from tests.server.comfy.test_bodies import NODES, request, turns

pytestmark = pytest.mark.anyio


async def test_while_a_large_body_is_read_others_have_their_turn():
    raw = json.dumps({"workflow": NODES}).encode()
    read, count = await turns(read_body(request(raw), WorkflowBody))
    assert len(raw) > LARGE and read.workflow == NODES and count > 10


async def test_a_large_body_that_is_no_json_or_another_is_refused():
    with pytest.raises(InputError, match="not JSON"):
        await read_body(request(b"{" + b" " * LARGE), WorkflowBody)
    with pytest.raises(InputError, match="Field required"):
        await read_body(request(b"{}" + b" " * LARGE), WorkflowBody)
