"""Digests of whole files in the background: kept, resumed, stopped at close, and what they are good for."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from engine import digests
from engine.digests import Digester
from engine.fingerprints import SMALL, FileRecord, fingerprint
from engine.store import Store
from tests.engine.words import Vocabulary, engine, n, ran, recorded


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "DELAY", 0.001)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "checkpoints" / "large.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(np.random.default_rng(1).bytes(SMALL + 1))
    return path


def open_store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", memory_bytes=10**6, disk_bytes=10**8)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def touch(path: Path) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


def whole(store: Store, path: Path) -> str | None:
    record = store.files.known_file(str(path))
    return record.whole if record else None


def test_a_file_that_was_used_gets_its_digest_and_a_touch_changes_nothing(large: Path, tmp_path: Path):
    with open_store(tmp_path) as store:
        before = fingerprint(large, store.files)
        until(lambda: whole(store, large) is not None)
        assert whole(store, large) == blake3(large.read_bytes()).hexdigest()
        touch(large)
        assert fingerprint(large, store.files) == before


def test_what_was_not_finished_is_begun_again_by_the_next(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as slow, open_store(tmp_path) as store:
        slow.setattr(digests, "DELAY", 60.0)
        fingerprint(large, store.files)
    with open_store(tmp_path) as store:
        fingerprint(large, store.files)
        until(lambda: whole(store, large) is not None)


def test_closing_stops_within_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "endless"
    path.write_bytes(b"x")
    begun = threading.Event()

    def endless(file: object):  # type: ignore[no-untyped-def]
        while True:
            begun.set()
            yield b"x" * 1000

    monkeypatch.setattr(digests, "chunks", endless)
    kept: list[str] = []
    record = FileRecord(str(path), 1, 2, 3, "s", None, "s")
    digester = Digester(lambda path: record, lambda record, whole: kept.append(whole))
    digester.want(record)
    assert begun.wait(10)
    digester.close()
    assert kept == [] and not [thread for thread in threading.enumerate() if thread.name == "loomis-digests"]
    digester.want(FileRecord(str(path), 1, 2, 4, "s", None, "s"))
    assert digester._thread is not None and not digester._thread.is_alive()


def test_a_file_that_is_gone_or_changed_meanwhile_gets_none(tmp_path: Path):
    there = tmp_path / "there"
    there.write_bytes(b"other")
    kept: list[str] = []
    state = there.stat()
    stands = (5, state.st_mtime_ns, state.st_ino)
    wanted = [FileRecord(str(path), 5, 2, 3, "s", None, "s") for path in (tmp_path / "gone", there, tmp_path)]
    done = FileRecord(str(there), *stands, "by another process", None, "s")
    wanted += [done, FileRecord(str(there), *stands, "s", None, "s")]
    records = iter([*wanted[:3], replace(done, whole="known"), wanted[4]])
    digester = Digester(lambda path: next(records), lambda record, whole: kept.append(record.path))
    for record in wanted:
        digester.want(record)
    until(lambda: kept == [str(there)])
    digester.close()


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="priorities of threads are of Linux")
def test_the_thread_has_the_lowest_priority(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"a")
    state = path.stat()
    found: list[int] = []
    record = FileRecord(str(path), 1, state.st_mtime_ns, state.st_ino, "s", None, "s")
    digester = Digester(
        lambda path: record,
        lambda record, whole: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())),
    )
    digester.want(record)
    until(lambda: found == [19])
    digester.close()
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19


def test_a_record_that_moved_on_keeps_no_old_digest(large: Path, tmp_path: Path):
    with open_store(tmp_path) as store:
        fingerprint(large, store.files)
        record = store.files.known_file(str(large))
        assert record is not None
        until(lambda: whole(store, large) is not None)
        touch(large)
        fingerprint(large, store.files)
        store.files.keep_whole(record, "another")
        assert whole(store, large) == blake3(large.read_bytes()).hexdigest()


def test_a_touched_checkpoint_runs_nothing_again(large: Path, tmp_path: Path):
    graph = {"1": n("Weights", name="large.safetensors"), "2": n("Show", value=("1", 0))}
    with engine(Vocabulary(), tmp_path) as e:
        e.run(graph)
        until(lambda: whole(e.store, large) is not None)
        touch(large)
        assert ran(recorded(e, graph)[1]) == []
