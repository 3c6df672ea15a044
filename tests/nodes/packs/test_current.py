"""What foreign code may know of where it runs."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.folders import Folders
from engine.node import Registry
from nodes.packs import current
from tests.nodes.calls import context as call_context


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    current.begin(Folders(input=Path("in")), registry)
    return registry


def test_the_process_has_folders_and_node_types(registry: Registry) -> None:
    assert current.folders().input == Path("in")
    assert current.registry() is registry
    with current.running("pack", "Type", None, Folders(output=Path("elsewhere"))):
        assert current.places().output == Path("elsewhere")
        assert current.folders().output == Path("output")
        with current.running("pack", "Type"):
            assert current.places() == current.folders()


def test_without_packs_there_is_nothing_to_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "_processes", [])
    current.refresh()
    seen: list[str] = []
    current.begin(Folders(), Registry(), refresh=lambda: seen.append("refreshed"))
    current.refresh()
    assert seen == ["refreshed"]


def test_events_go_nowhere_until_somebody_takes_them(registry: Registry) -> None:
    taken: list[tuple[str, Mapping[str, Any], str | None]] = []
    current.send("lost", {})
    current.set_sender(lambda *event: taken.append(event))
    current.send("kept", {"a": 1}, "me")
    assert taken == [("kept", {"a": 1}, "me")]


def test_a_call_is_known_inside_it_and_in_its_thread_only(registry: Registry) -> None:
    context = call_context(Folders())
    seen: list[object] = []
    with current.running("pack", "Type", context):
        assert (current.node(), current.context()) == (("pack", "Type"), context)
        with current.running("other"):
            assert (current.node(), current.context()) == (("other", ""), None)
        assert current.node() == ("pack", "Type")
        thread = threading.Thread(target=lambda: seen.append(current.node()))
        thread.start()
        thread.join()
    assert (current.node(), current.context(), seen) == (None, None, [None])
