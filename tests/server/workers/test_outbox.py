import threading
from collections.abc import Sequence

from server.workers.contract import Began, Progressed, Report
from server.workers.outbox import Outbox


def test_reports_are_sent_in_order_and_in_groups():
    sent: list[Sequence[Report]] = []
    outbox = Outbox(sent.append)
    reports = [Began(str(index), 0.0) for index in range(1000)]
    for report in reports:
        outbox.add(report)
    outbox.close()
    assert [report for group in sent for report in group] == reports
    assert len(sent) < 500


def test_of_progress_that_waits_the_newest_is_sent():
    began, gate = threading.Event(), threading.Event()
    sent: list[Report] = []

    def send(group: Sequence[Report]) -> None:
        sent.extend(group)
        began.set()
        gate.wait(10)

    outbox = Outbox(send)
    outbox.add(Began("a", 0.0))
    assert began.wait(10)
    for step in range(100):
        outbox.add(Progressed("a", "1", step, 100))
    outbox.add(Progressed("a", "2", 1, 2))
    outbox.add(Progressed("a", "1", 100, 100))
    gate.set()
    outbox.close()
    assert sent == [
        Began("a", 0.0),
        Progressed("a", "1", 99, 100),
        Progressed("a", "2", 1, 2),
        Progressed("a", "1", 100, 100),
    ]
