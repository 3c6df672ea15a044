from hypothesis import given
from hypothesis import strategies as st

from server.jobs.queue import Queue
from server.jobs.records import Job


def job(id: str, priority: int = 0, number: float = 0.0) -> Job:
    return Job(id=id, state="queued", priority=priority, number=number, created=0.0, targets=())


def filled(*jobs: Job) -> Queue:
    queue = Queue()
    for each in jobs:
        queue.put(each)
    return queue


def ids(queue: Queue) -> list[str]:
    return [each.id for each in queue]


def test_higher_priority_runs_first_then_lower_number():
    queue = filled(job("a", 0, 2), job("b", 0, 1), job("c", 5, 3), job("d", -1, 0))
    assert ids(queue) == ["c", "b", "a", "d"]
    assert [each.id for each in queue.first(2)] == ["c", "b"]


def test_take_returns_the_job_once():
    queue = filled(job("a"), job("b"))
    taken = queue.take("a")
    assert taken and taken.id == "a"
    assert queue.take("a") is None
    assert "a" not in queue
    assert len(queue) == 1


def test_put_moves_a_job_that_is_there():
    queue = filled(job("a", 0, 1), job("b", 0, 2))
    queue.put(job("a", 0, 3))
    assert ids(queue) == ["b", "a"]


def test_front_is_before_all_of_the_priority():
    queue = filled(job("a", 0, -7), job("b", 1, -9))
    assert queue.front(0, 0.0) == -8
    assert queue.front(1, 0.0) == -10
    assert queue.front(2, 0.0) == -1


jobs = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.tuples(st.integers(-2, 2), st.integers(-3, 3)), min_size=1
).map(lambda found: [job(id, priority, number) for id, (priority, number) in found.items()])


@given(jobs, st.randoms())
def test_reordered_jobs_take_the_same_places_in_the_new_order(given_jobs, random):
    queue = filled(*given_jobs)
    before = ids(queue)
    chosen = random.sample(before, random.randint(1, len(before)))
    places = sorted(before.index(id) for id in chosen)
    moved = queue.reordered(chosen)
    for each in moved:
        queue.take(each.id)
    for each in moved:
        queue.put(each)
    expected = list(before)
    for place, id in zip(places, chosen, strict=True):
        expected[place] = id
    assert [id for id in ids(queue) if id in chosen] == chosen
    if len({(each.priority, each.number) for each in given_jobs}) == len(given_jobs):
        assert ids(queue) == expected


@given(jobs)
def test_the_queue_is_the_sorted_list(given_jobs):
    expected = sorted(given_jobs, key=lambda each: (-each.priority, each.number, each.created, each.id))
    assert ids(filled(*given_jobs)) == [each.id for each in expected]
