"""The packs of a process."""

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.node import Registry
from nodes.packs import current
from nodes.packs.find import Pack
from nodes.packs.load import PackFailed
from nodes.packs.packs import MOST_OBJECTS, Packs
from tests.nodes.packs.classic import PACKS, folders


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    current.begin(folders(tmp_path), Registry())
    return Packs([Pack(name, PACKS / name) for name in ("classic", "broken")])


def test_a_pack_is_imported_once_and_a_failure_is_kept(packs: Packs) -> None:
    assert packs.loaded("classic") is packs.loaded("classic")
    with pytest.raises(PackFailed) as first:
        packs.loaded("broken")
    with pytest.raises(PackFailed) as second:
        packs.node_class("broken", "Any")
    assert first.value is second.value
    with pytest.raises(InputError, match="has no Nothing any more"):
        packs.node_class("classic", "Nothing")


def test_each_node_of_a_workflow_has_its_object(packs: Packs) -> None:
    first = packs.node_object("classic", "Shout", "1")
    assert packs.node_object("classic", "Shout", "1") is first is not packs.node_object("classic", "Shout", "2")
    for index in range(MOST_OBJECTS):
        packs.node_object("classic", "Shout", f"n{index}")
    assert packs.node_object("classic", "Shout", "1") is not first
