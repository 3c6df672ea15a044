import gc
import threading
import weakref

import numpy as np

from engine.disk import Entry
from engine.memory import Cached
from engine.rows import Row
from engine.values import Packed, pack
from engine.writer import Writer


def entry(name, nbytes=0):
    packed = pack(np.zeros(nbytes, np.uint8))
    return Entry(name, "T", Row(), b"", ((packed.digest, packed),)), {packed.digest: Cached(nbytes, packed)}


def writer(commit, budget=2**20):
    return Writer(commit, budget, lambda: None, lambda: None, lambda error: None)


def test_results_are_written_in_order_and_in_groups():
    groups = []
    one = writer(groups.append)
    for number in range(1000):
        one.add(*entry(number.to_bytes(4)), urgent=False)
    one.flush()
    assert [each.key for group in groups for each in group] == [number.to_bytes(4) for number in range(1000)]
    assert len(groups) < 100
    one.close()


def test_what_waits_can_be_found_until_it_is_written():
    begun, go = threading.Event(), threading.Event()

    def slow(batch):
        begun.set()
        go.wait()

    one = writer(slow)
    item, values = entry(b"key", 10)
    one.add(item, values, urgent=True)
    begun.wait()
    assert one.rows == {b"key": item.row} and one.values == values
    go.set()
    one.flush()
    assert one.rows == {} and one.values == {}
    one.close()


def test_a_caller_never_waits_and_values_beyond_the_budget_are_left_out():
    go, groups = threading.Event(), []

    def slow(batch):
        go.wait()
        groups.append(batch)

    one = writer(slow, budget=1000)
    for number in range(4):
        one.add(*entry(number.to_bytes(1), 400 + number), urgent=True)
    go.set()
    one.flush()
    written = [each for group in groups for each in group]
    assert [each.key for each in written] == [b"\0", b"\1", b"\2", b"\3"]
    assert [len(each.values) for each in written] == [1, 1, 0, 0]
    one.add(*entry(b"next", 900), urgent=True)
    one.close()
    assert len(groups[-1][0].values) == 1


def test_closing_writes_what_waits():
    groups = []
    one = writer(groups.append)
    one.add(*entry(b"key"), urgent=False)
    one.close()
    assert [[each.key for each in group] for group in groups] == [[b"key"]]
    writer(groups.append).close()


def test_the_beat_comes_while_something_is_held():
    beats = threading.Semaphore(0)
    one = Writer(lambda batch: None, 1, beats.release, lambda: 0.001, lambda error: None)
    one.wake()
    for _ in range(3):
        assert beats.acquire(timeout=10)
    one.close()


def test_a_group_that_was_written_is_let_go():
    one = writer(lambda batch: None)
    values = memoryview(bytes(1000))
    seen = weakref.ref(values)
    packed = Packed(b"", (values,))
    one.add(Entry(b"key", "T", Row(), b"", ((packed.digest, packed),)), {}, urgent=True)
    del values, packed
    one.flush()
    gc.collect()
    assert seen() is None
    one.close()


def test_what_comes_afterwards_follows_what_was_queued():
    order = []
    one = writer(lambda batch: order.extend(each.key for each in batch))
    one.add(*entry(b"first"), urgent=False)
    one.afterwards(lambda: order.append("then"))
    one.flush()
    assert order == [b"first", "then"]
    one.afterwards(lambda: order.append("alone"))
    one.close()
    assert order == [b"first", "then", "alone"]


def test_nothing_that_fails_ends_the_thread():
    failed, beats = [], threading.Semaphore(0)

    def fail(*_):
        beats.release()
        raise KeyError("unexpected")

    one = Writer(fail, 1, fail, lambda: 0.001, failed.append)
    one.add(*entry(b"key"), urgent=True)
    one.afterwards(fail)
    one.flush()
    for _ in range(5):
        assert beats.acquire(timeout=10)
    assert one.rows == {} and len(failed) >= 4 and one._thread.is_alive()
    one.close()
