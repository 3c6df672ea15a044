"""What waits for a client: facts all and in order, the rest only as long as it is new."""

from hypothesis import given
from hypothesis import strategies as st

from server.protocol.codec import Frame
from server.protocol.outbox import Outbox


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def drain(outbox: Outbox[Frame]) -> list[Frame]:
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame)
    return frames


def test_facts_come_in_order_and_before_what_can_be_replaced() -> None:
    outbox = Outbox[Frame]()
    outbox.put_latest(("p",), "progress")
    outbox.put("1")
    outbox.put("2")

    assert drain(outbox) == ["1", "2", "progress"]
    assert outbox.nbytes == 0


def test_only_the_newest_of_a_name_is_sent() -> None:
    outbox = Outbox[Frame]()
    for step in range(100):
        outbox.put_latest(("job", "3"), f"step {step}")
    outbox.put_latest(("job", "4"), "other")

    assert drain(outbox) == ["step 99", "other"]


def test_what_is_over_can_be_dropped() -> None:
    outbox = Outbox[Frame]()
    outbox.put_latest(("p",), "progress")
    outbox.put_latest(("q",), "other")
    outbox.drop(lambda name: name == ("p",))

    assert drain(outbox) == ["other"] and outbox.nbytes == 0


def test_too_many_bytes_are_too_slow() -> None:
    outbox = Outbox[Frame](most_bytes=10)
    outbox.put("x" * 10)
    assert not outbox.too_slow()
    outbox.put("x")
    assert outbox.too_slow()


def test_previews_that_are_replaced_never_add_up() -> None:
    outbox = Outbox[Frame](most_bytes=10)
    for _ in range(1000):
        outbox.put_latest(("p",), b"x" * 10)

    assert not outbox.too_slow()


def test_a_frame_that_waits_too_long_is_too_slow() -> None:
    clock = Clock()
    outbox = Outbox[Frame](most_seconds=30, clock=clock)
    clock.now = 100
    assert not outbox.too_slow()
    outbox.put("1")
    clock.now = 131
    assert outbox.too_slow()
    outbox.take()
    assert outbox.too_slow()
    outbox.take()
    assert not outbox.too_slow()


def test_a_preview_on_its_way_for_too_long_is_too_slow() -> None:
    clock = Clock()
    outbox = Outbox[Frame](most_seconds=30, clock=clock)
    outbox.put_latest(("p",), b"x")
    clock.now = 50
    assert outbox.take() == b"x" and not outbox.too_slow()
    clock.now = 81
    assert outbox.too_slow()


def test_who_reads_something_large_has_time_for_what_waits_behind_it() -> None:
    clock = Clock()
    outbox = Outbox[Frame](most_seconds=30, clock=clock)
    for frame in ("large", "1", "2"):
        outbox.put(frame)
    clock.now = 29
    assert outbox.take() == "large"
    outbox.renew()
    clock.now = 58
    assert outbox.take() == "1" and not outbox.too_slow()
    clock.now = 60
    assert outbox.too_slow()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=60))
def test_no_fact_is_lost_and_bytes_are_counted(steps: list[tuple[str, bool, bool]]) -> None:
    outbox = Outbox[Frame]()
    put, sent = [], []
    for number, (name, fact, take) in enumerate(steps):
        if fact:
            put.append(f"fact {number}")
            outbox.put(put[-1])
        else:
            outbox.put_latest((name,), f"{name} {number}")
        if take:
            sent.append(outbox.take())
    sent += drain(outbox)

    assert [frame for frame in sent if str(frame).startswith("fact")] == put
    assert outbox.nbytes == 0
