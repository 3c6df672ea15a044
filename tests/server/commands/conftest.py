"""A server for the commands that talk to one."""

from collections.abc import Iterator

import pytest

from tests.server.conftest import Command
from tests.server.online import Online, online


@pytest.fixture(scope="session")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def talking(background: Online, loomis: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the address of a server in its environment."""
    monkeypatch.setenv("LOOMIS_SERVER", background.url)
    return loomis
