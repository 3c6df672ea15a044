"""What handlers of packs change in a request, and what its job tells of them."""

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.folders import Folders
from nodes.packs import current
from nodes.packs.facts import PackFacts
from nodes.packs.names.server import PromptServer
from server.app.services import Services
from server.comfy.bodies import PromptBody, checked
from server.comfy.handlers import handled
from server.packs import AskedOfWorkers
from tests.server.words import served, shown

pytestmark = pytest.mark.anyio

GIVEN = {"prompt": shown(1), "extra_data": {"api_key_comfy_org": "secret"}}
BODY = checked(GIVEN, PromptBody)


@pytest.fixture
def handlers(tmp_path: Path) -> Any:
    current.begin(Folders((), *(tmp_path / "places",) * 3), None)  # type: ignore[arg-type]
    kept, PromptServer.instance = PromptServer.instance, PromptServer()
    yield PromptServer.instance.prompt_handlers
    PromptServer.instance = kept


def with_pack(services: Services) -> Services:
    """Return a server that asks its worker, which is in this process, for the handlers of a pack."""
    asked = AskedOfWorkers()
    asked.asking = services.dispatcher.asking
    return replace(services, packs=(PackFacts("a", "", handles_prompts=True),), asked=asked)


async def test_a_handler_changes_a_request_and_sees_no_credentials(tmp_path: Path, handlers: Any) -> None:
    seen = []

    def adds(body: Any) -> Any:
        seen.append(body["extra_data"])
        body["prompt"]["1"]["inputs"]["value"] += 1
        return body

    handlers.append(("a", adds))
    async with served(tmp_path) as services:
        found = with_pack(services)
        body, warnings = await handled(found, GIVEN, BODY)
        assert (body.prompt["1"]["inputs"]["value"], warnings, seen) == (2, [], [{}])
        assert await handled(services, GIVEN, BODY) == (BODY, ())


async def test_one_that_does_not_end_is_logged_once_and_told_with_each_job(
    tmp_path: Path, handlers: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nodes.packs.prompts.SECONDS", 0.05)
    over = threading.Event()
    handlers.append(("a", lambda body: over.wait(20)))
    async with served(tmp_path) as services:
        found = with_pack(services)
        with caplog.at_level(logging.WARNING, "loomis.packs"):
            told = [await handled(found, GIVEN, BODY) for _ in range(3)]
    over.set()
    assert [body.prompt for body, _ in told] == [shown(1)] * 3
    first, second, third = (warning for _, (warning,) in told)
    assert "took more than 0.05 s" in first and "took too long before" in second == third
    assert [record.getMessage() for record in caplog.records] == [first]
