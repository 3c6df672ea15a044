import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import Engine
from server.jobs.records import Submission
from server.jobs.submit import encode
from server.opening import open_engine
from server.workers.contract import (
    Began,
    Close,
    Ended,
    Free,
    GiveBack,
    Look,
    Previewed,
    Progressed,
    Ready,
    Report,
    Returned,
    Run,
    Stop,
    Told,
    Uses,
)
from server.workers.worker import Worker, json_text
from tests.server.vocabulary import SKETCH, vocabulary
from tests.server.words import after, n, options, shown

Wait = Callable[[Callable[[list[Report]], Any]], list[Report]]


@contextmanager
def working(folder: Path) -> Iterator[tuple[Worker, Wait]]:
    """Give a worker that runs in a thread, and a function that waits for its reports."""
    reports: list[Report] = []
    with open_engine(options(folder), vocabulary()) as engine:
        worker = Worker(reports.extend)
        thread = threading.Thread(target=worker.run, args=(engine,))
        thread.start()

        def wait(check: Callable[[list[Report]], Any]) -> list[Report]:
            end = time.monotonic() + 20
            while not check(reports):
                assert time.monotonic() < end, reports
                time.sleep(0.005)
            return reports

        try:
            yield worker, wait
        finally:
            worker.take([Close()])
            thread.join()


def run(id: str, workflow: dict[str, Any]) -> Run:
    return Run(id, encode(Submission(workflow)))


def endings(count: int) -> Callable[[list[Report]], bool]:
    return lambda reports: sum(isinstance(report, Ended) for report in reports) == count


def test_a_job_is_reported_from_beginning_to_end(tmp_path: Path):
    with working(tmp_path) as (worker, wait):
        worker.take([run("a", shown(3))])
        ready, began, *told, ended = wait(endings(1))
        assert ready == Ready(os.getpid())
        assert isinstance(began, Began)
        assert [(each.kind, each.node) for each in told if isinstance(each, Told)][:2] == [
            ("planned", None),
            ("node_started", "1"),
        ]
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.error) == ("succeeded", "")


def test_jobs_run_one_after_the_other_in_order(tmp_path: Path):
    with working(tmp_path) as (worker, wait):
        worker.take([run(str(index), shown(index)) for index in range(20)])
        marks = [report for report in wait(endings(20)) if isinstance(report, Began | Ended)]
        assert [mark.job for mark in marks] == [str(index // 2) for index in range(40)]


def test_what_was_not_begun_can_be_cancelled_and_given_back(tmp_path: Path):
    with working(tmp_path) as (worker, wait):
        worker.take([run("long", after(Steps={"value": 1, "count": 1000, "seconds": 0.01}))])
        wait(lambda reports: any(isinstance(report, Progressed) for report in reports))
        worker.take([run("a", shown(1)), run("b", shown(2)), run("c", shown(3)), Stop("b"), GiveBack(), Stop("long")])
        reports = wait(endings(2))
        assert Returned(("a", "c")) in reports
        assert [(each.job, each.outcome) for each in reports if isinstance(each, Ended)] == [
            ("b", "cancelled"),
            ("long", "cancelled"),
        ]


def test_a_stop_that_comes_late_harms_no_other_job(tmp_path: Path):
    with working(tmp_path) as (worker, wait):
        worker.take([run("a", shown(1))])
        wait(endings(1))
        worker.take([Stop("a"), run("b", shown(2))])
        assert wait(endings(2))[-1].outcome == "succeeded"  # type: ignore[union-attr]


def test_previews_are_sent_while_somebody_looks(tmp_path: Path):
    graph = after(Steps={"value": 1, "count": 10, "seconds": 0.03})
    with working(tmp_path) as (worker, wait):
        worker.take([run("a", graph)])
        assert not any(isinstance(report, Previewed) for report in wait(endings(1)))
        worker.take([Look(True), run("b", after(Steps={"value": 2, "count": 20, "seconds": 0.03}))])
        previews = [report for report in wait(endings(2)) if isinstance(report, Previewed)]
        assert 1 < len(previews) < 10
        assert previews[0].image == SKETCH


def test_memory_is_let_go_of_between_two_jobs(tmp_path: Path):
    with working(tmp_path) as (worker, wait):
        worker.take([run("a", after(Load={"value": 1, "nbytes": 100}))])
        assert Uses(reserved=100, used=100) in wait(lambda reports: reports and isinstance(reports[-1], Uses))
        worker.take([run("long", after(Steps={"value": 1, "count": 20, "seconds": 0.02})), run("b", shown(1))])
        wait(lambda reports: any(isinstance(report, Progressed) for report in reports))
        worker.take([Free(models=True, values=False)])
        marks = [report for report in wait(endings(3)) if isinstance(report, Began | Ended | Uses)]
        assert marks[2:5] == [Uses(reserved=100, used=100), marks[3], marks[4]]
        assert [type(mark).__name__ for mark in marks[3:]] == ["Began", "Ended", "Uses", "Began", "Ended"]
        assert marks[5] == Uses()
        worker.take([run("c", after(Load={"value": 2, "nbytes": 50})), Free(models=True, values=True)])
        wait(endings(4))
        worker.take([Free(models=True, values=True)])
        assert wait(lambda reports: reports[-1] == Uses())


def test_errors_and_mistakes_end_one_job(tmp_path: Path, monkeypatch: Any):
    with working(tmp_path) as (worker, wait):
        worker.take([run("a", after(Fail={"value": 1})), run("b", {"1": n("Nothing")})])
        failed, invalid = [report for report in wait(endings(2)) if isinstance(report, Ended)]
        assert json.loads(failed.error)["node"] == "1"
        assert json.loads(invalid.error)["faults"]

        def broken(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError("ouch")

        with monkeypatch.context() as patch:
            patch.setattr(Engine, "run", broken)
            worker.take([run("c", shown(1))])
            assert "ZeroDivisionError: ouch" in wait(endings(3))[-1].error  # type: ignore[union-attr]
        worker.take([run("d", shown(1))])
        assert wait(endings(4))[-1].outcome == "succeeded"  # type: ignore[union-attr]


def test_a_value_that_json_has_no_name_for_becomes_a_text():
    assert json.loads(json_text({"a": [math.nan, -math.inf, 1.5], "b": Path("x")})) == {
        "a": ["NaN", "-Infinity", 1.5],
        "b": "x",
    }
