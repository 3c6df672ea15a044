"""A server for the commands that talk to one."""

from collections.abc import Iterator

import pytest

from tests.server.conftest import Command
from tests.server.socket.background import Background, in_background


@pytest.fixture(scope="session")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    with in_background(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def talking(background: Background, loomis: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the address of a server in its environment."""
    monkeypatch.setenv("LOOMIS_SERVER", background.url)
    return loomis
