import logging
from pathlib import Path

import pytest
from starlette.routing import Mount

from nodes.packs.facts import PackFacts
from server.comfy.extensions import pack_routes


def test_a_folder_of_a_pack_that_is_gone_is_said_and_stops_no_server(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    facts = PackFacts("pack", "", web={"pack": str(tmp_path / "gone")}, files={"pictures": str(tmp_path)})
    with caplog.at_level(logging.WARNING):
        (mount,) = pack_routes([facts])
    assert isinstance(mount, Mount) and mount.path == "/pictures"
    assert f"{tmp_path / 'gone'} of the node pack pack is not there" in caplog.text
