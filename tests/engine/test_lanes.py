"""The threads that nodes run on."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine.lanes import Lanes
from engine.schema import Resource


def where(lanes: Lanes, resource: Resource, count: int, width: int, device: str = "cuda") -> list[str]:
    """Return the names of the threads that ``count`` jobs ran on; each waits until ``width`` run at once."""
    names: list[str] = []
    done = threading.Semaphore(0)
    together = threading.Barrier(width)

    def work() -> None:
        together.wait(10)
        names.append(threading.current_thread().name)
        done.release()

    for _ in range(count):
        lanes.submit(resource, device, work)
    for _ in range(count):
        assert done.acquire(timeout=10)
    return names


def test_a_device_has_one_thread_and_the_others_several():
    lanes = Lanes(cpu_threads=3)
    try:
        assert set(where(lanes, "gpu", 5, 1)) == {"loomis-gpu-cuda:0_0"}
        assert len(set(where(lanes, "cpu", 9, 3))) == 3
        assert len(set(where(lanes, "io", 8, 8))) == 8
    finally:
        lanes.close()


def test_each_device_has_a_thread_of_its_own():
    lanes = Lanes()
    together = threading.Barrier(2)
    try:
        for device in ("cuda:0", "cuda:1"):
            lanes.submit("gpu", device, lambda: together.wait(10))  # type: ignore[arg-type, return-value]
        names = [where(lanes, "gpu", 2, 1, device) for device in ("cuda", "cuda:0", "cuda:1", "cpu")]
    finally:
        lanes.close()
    assert not together.broken and names[0] == names[1] and len({*map(tuple, names)}) == 3


def test_a_device_does_its_work_in_order():
    lanes, order = Lanes(), []
    for i in range(20):
        lanes.submit("gpu", "cuda", lambda i=i: order.append(i))  # type: ignore[misc]
    where(lanes, "gpu", 1, 1)
    lanes.close()
    assert order == list(range(20))


def test_threads_are_started_on_first_use_and_end_with_the_lanes():
    def ours() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("loomis-")]

    before = ours()
    lanes = Lanes()
    assert ours() == before
    where(lanes, "io", 2, 2)
    lanes.start(asyncio.sleep(0)).result(10)
    assert len(ours()) > len(before)
    lanes.close()
    assert ours() == before


def test_coroutines_overlap_and_can_be_cancelled():
    lanes, seen = Lanes(), []

    async def work(name: str, seconds: float, then: Callable[[str], Any]) -> None:
        try:
            await asyncio.sleep(seconds)
            then(name)
        except asyncio.CancelledError:
            then(f"{name} cancelled")
            raise

    long = lanes.start(work("long", 60, seen.append))
    lanes.start(work("short", 0.01, seen.append)).result(10)
    assert seen == ["short"]
    long.cancel()
    lanes.start(work("after", 0, seen.append)).result(10)
    lanes.close()
    assert seen == ["short", "long cancelled", "after"]


@pytest.mark.parametrize("used", [False, True])
def test_closing_waits_for_what_runs(used: bool):
    lanes, seen = Lanes(), []
    if used:
        lanes.submit("cpu", "cuda", lambda: (time.sleep(0.05), seen.append(1)))  # type: ignore[arg-type, return-value]
        time.sleep(0.01)
    lanes.close()
    assert seen == ([1] if used else [])
