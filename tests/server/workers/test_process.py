import os
import signal
from pathlib import Path

import pytest

from server.jobs.records import Submission
from server.jobs.submit import encode
from server.workers.contract import Close, Ended, Ready, Report, Run, WorkerDied
from server.workers.process import ProcessCarrier
from tests.server.vocabulary import VOCABULARY
from tests.server.words import after, options, shown

pytestmark = pytest.mark.anyio


async def reports_until(carrier: ProcessCarrier, kind: type[Report]) -> list[Report]:
    found: list[Report] = []
    while not any(isinstance(each, kind) for each in found):
        found += await carrier.receive()
    return found


async def test_a_process_takes_jobs_ends_and_can_be_started_again(tmp_path: Path):
    carrier = ProcessCarrier(options(tmp_path), "cpu", VOCABULARY)
    for value in (1, 2):
        await carrier.start()
        ready, *_ = await carrier.receive()
        assert isinstance(ready, Ready)
        assert ready.pid != os.getpid()
        carrier.send([Run("a", encode(Submission(shown(value))))])
        *_, ended = await reports_until(carrier, Ended)
        assert isinstance(ended, Ended)
        assert ended.outcome == "succeeded"
        await carrier.close()
        with pytest.raises(ProcessLookupError):
            os.kill(ready.pid, 0)


async def test_a_death_says_how_and_the_last_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    carrier = ProcessCarrier(options(tmp_path), "cpu", VOCABULARY)
    await carrier.start()
    graph = after(Die={"value": 1, "path": str(tmp_path / "deaths"), "times": 1})
    carrier.send([Run("a", encode(Submission(graph)))])
    with pytest.raises(WorkerDied) as death:
        while True:
            await carrier.receive()
    assert death.value.message == "The worker was ended by SIGKILL."
    assert death.value.tail == "about to die\n"
    assert "about to die" in capsys.readouterr().err
    await carrier.close()


async def test_a_worker_that_says_too_much_at_once_is_as_good_as_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("server.workers.contract.LARGEST", 100)
    carrier = ProcessCarrier(options(tmp_path), "cpu", VOCABULARY)
    await carrier.start()
    carrier.send([Run("a" * 1000, encode(Submission(shown(1))))])
    with pytest.raises(WorkerDied, match="can't be read: BufferFull"):
        while True:
            await carrier.receive()
    assert carrier._process and await carrier._process.wait() == -signal.SIGKILL
    await carrier.close()


async def test_a_worker_ends_when_its_server_is_gone(tmp_path: Path):
    carrier = ProcessCarrier(options(tmp_path), "cpu", VOCABULARY)
    await carrier.start()
    await carrier.receive()
    carrier.send([Run("a", encode(Submission(after(Stuck={"value": 1, "seconds": 60.0}))))])
    process = carrier._process
    assert process and process.stdin
    process.stdin.close()
    with pytest.raises(WorkerDied, match="exit code 1"):
        while True:
            await carrier.receive()
    await carrier.close()


async def test_a_process_that_cannot_open_its_engine_dies_and_says_why(tmp_path: Path):
    carrier = ProcessCarrier(options(tmp_path), "cpu", "tests.server.vocabulary:nothing")
    await carrier.start()
    with pytest.raises(WorkerDied, match="exit code 1") as death:
        await carrier.receive()
    assert "nothing" in death.value.tail
    await carrier.close()


async def test_ctrl_c_in_the_terminal_is_the_servers_to_handle(tmp_path: Path):
    carrier = ProcessCarrier(options(tmp_path), "cpu", VOCABULARY)
    await carrier.start()
    ready, *_ = await carrier.receive()
    assert isinstance(ready, Ready)
    os.kill(ready.pid, signal.SIGINT)
    carrier.send([Run("a", encode(Submission(shown(1))))])
    assert isinstance((await reports_until(carrier, Ended))[-1], Ended)
    carrier.send([Close()])
    await carrier.close()
