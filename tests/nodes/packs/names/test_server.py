"""What packs put into the server, and what they send."""

import asyncio
import inspect
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from engine.folders import Folders
from nodes.packs import current
from nodes.packs.names.server import BinaryEventTypes, PromptServer, Route, StaticFiles
from tests.nodes.packs.names.conftest import Told


@pytest.fixture
def server() -> Iterator[PromptServer]:
    kept, PromptServer.instance = PromptServer.instance, PromptServer()
    yield PromptServer.instance
    PromptServer.instance = kept


async def handler(request: Any) -> str:
    return "answer"


def test_routes_are_collected_with_the_pack_that_made_them(server: PromptServer) -> None:
    with current.running("pack"):
        assert server.routes.get("/pack/{name:.+}")(handler) is handler
        server.routes.patch("/pack")(handler)
        server.routes.static("/files", "/there")
    with current.running("other"):
        defined = SimpleNamespace(method="post", path="/other", handler=handler)
        folder = SimpleNamespace(prefix="/static", path="/here")
        server.app.add_routes([defined, folder])
        server.app.router.add_get("/more", handler)
    assert (
        list(server.routes)
        == server.app.router.routes()
        == [
            Route("pack", "GET", "/pack/{name:.+}", handler),
            Route("pack", "PATCH", "/pack", handler),
            Route("other", "POST", "/other", handler),
            Route("other", "GET", "/more", handler),
        ]
    )
    assert server.routes.files == [StaticFiles("pack", "/files", "/there"), StaticFiles("other", "/static", "/here")]


def test_events_go_to_the_client_or_to_all(server: PromptServer, folders: Folders) -> None:
    sent: list[tuple[str, Mapping[str, Any], str | None]] = []
    current.set_sender(lambda *event: sent.append(event))
    server.send_sync("pack-event", {"a": 1}, server.client_id)
    asyncio.run(server.send("pack-event", 5, "me"))
    server.send_progress_text("half", "7")
    assert sent == [
        ("pack-event", {"a": 1}, None),
        ("pack-event", {"value": 5}, "me"),
        ("progress_text", {"nodeId": "7", "text": "half"}, None),
    ]


def test_a_picture_is_the_preview_of_the_node_that_runs(server: PromptServer, told: Told) -> None:
    picture = ("PNG", Image.new("RGB", (8, 8)), None)
    server.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, picture, server.client_id)
    server.send_sync(BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA, (picture, {"node_id": "1"}))
    assert [step[:2] for step in told] == [(0, 1), (0, 1)] and server.last_node_id == "1"
    assert all(preview is not None and preview().startswith(b"\x89PNG") for _, _, preview, _ in told)


def test_handlers_of_prompts_are_collected_with_the_pack_that_made_them(server: PromptServer) -> None:
    with current.running("pack"):
        server.add_on_prompt_handler(len)
    assert server.prompt_handlers == [("pack", len)]


def test_packs_may_keep_things_on_it_and_need_install_no_scripts(server: PromptServer) -> None:
    assert not hasattr(server, "_own")
    server._own = {}  # type: ignore[attr-defined]
    assert hasattr(server, "_own") and "custom_nodes_from_web" in server.supports
    assert inspect.getfile(PromptServer).endswith("server.py") and not server.app.router.frozen
