from server.jobs.records import Job
from server.workers.state import MOST_HELD, WorkerState, marks
from tests.server.local import LocalCarrier


def job(id: str, *models: str, client: str | None = None) -> Job:
    return Job(id, "queued", 0, 0.0, 0.0, (), models, client=client)


def worker() -> WorkerState:
    def nothing() -> None:
        raise AssertionError

    return WorkerState("cpu-0", LocalCarrier(nothing), pid=1)  # type: ignore[arg-type]


def test_long_jobs_are_handed_out_one_at_a_time_and_short_ones_ahead():
    state = worker()
    assert state.room == 1
    state.hold(job("a"))
    assert state.room == 0
    state.begin("a", 0.0)
    state.end("a", 0.001)
    for index in range(40):
        state.hold(job(str(index)))
        state.begin(str(index), 0.0)
        state.end(str(index), 0.001)
    assert state.room == MOST_HELD


def test_the_dead_hold_nothing_and_are_warm_for_nothing():
    state = worker()
    for id in "abc":
        state.hold(job(id, "vae/x"))
    state.begin("a", 0.0)
    assert state.bury() == ("a", ["b", "c"])
    assert (state.load, state.room, state.ready, list(state.warm)) == (0, 0, False, [])


def test_the_newest_marks_stay_warm():
    state = worker()
    for index in range(100):
        state.hold(job(str(index), f"checkpoints/{index % 20}", "vae/always"))
    assert "vae/always" in state.warm
    assert "checkpoints/19" in state.warm
    assert "checkpoints/0" not in state.warm
    assert marks(job("a", "vae/x", client="me")) == {"vae/x", "client me"}
