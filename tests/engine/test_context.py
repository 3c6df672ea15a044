"""What a node may ask for."""

import threading
from pathlib import Path

import pytest

from engine.context import Context, Environment
from engine.errors import Cancelled, FileError
from engine.folders import Folders
from engine.schema import Files, FileSource
from engine.settings import Settings


class Shelf:
    """Knows one file."""

    def path_of(self, found: str) -> Path | None:
        return Path("/a.pt") if found == "f" * 64 else None

    def fingerprint(self, source: FileSource, name: str) -> str:
        return f"{source}:{name}"

    def value(self, digest: bytes) -> bytes:
        return digest * 2


class Pool:
    """A service; it knows who made it."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment


class Other(Pool):
    pass


def environment() -> Environment:
    return Environment(Settings(device="cuda:1"), Folders(), Shelf())


def test_a_service_is_made_once_whoever_asks_first():
    shared, found = environment(), []
    threads = [threading.Thread(target=lambda: found.append(shared.use(Pool))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1 and found[0].environment is shared
    assert shared.use(Other) is not found[0]


def test_a_value_by_its_digest():
    assert environment().value(b"d") == b"dd"


def test_a_file_by_its_fingerprint():
    assert environment().path("vae", "f" * 64) == Path("/a.pt")
    with pytest.raises(FileError, match="used from the vae folder is gone or has changed") as caught:
        environment().path("vae", "0" * 64)
    assert caught.value.got == "0" * 64 and caught.value.hint


def test_progress_is_reported_until_the_run_is_cancelled():
    stop, told, warned = threading.Event(), [], []
    context = Context("7", environment(), lambda *step: told.append(step), stop.is_set, warned.append)
    context.progress(1, 20, note="loss 0.5")
    context.check()
    context.warn("slow")
    stop.set()
    with pytest.raises(Cancelled) as caught:
        context.progress(2, 20)
    with pytest.raises(Cancelled):
        context.check()
    assert told == [(1, 20, None, "loss 0.5")] and warned == ["slow"] and caught.value.node == "7"


def test_a_context_knows_settings_folders_and_files():
    shared = environment()
    context = Context("7", shared, lambda *step: None, lambda: False, lambda text: None)
    assert context.settings.device == "cuda:1" and context.folders is shared.folders
    assert context.use(Pool) is shared.use(Pool)
    assert context.fingerprint("vae", "a.pt") == f"{Files('vae')}:a.pt"
