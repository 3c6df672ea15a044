"""The Python client against a real server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import JobConflict, LoomisError, NoSuchJob, ValidationError
from server.client import Client, Unreachable
from server.client.client import Client as Connection
from server.protocol.edits import SetInput
from server.protocol.messages import Fact, Preview
from server.session.errors import BadEdit
from tests.server.online import Online, online
from tests.server.vocabulary import SKETCH
from tests.server.words import after, shown


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as background:
        yield background


@pytest.fixture
def client(server: Online) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def kinds(client: Client, *jobs: str) -> list[str]:
    return [message.kind for message in client.watch(*jobs) if isinstance(message, Fact)]


def test_submit_watch_and_look(client: Client) -> None:
    job = client.submit(shown(1), {"Number.value": 5}, labels=["mine"])
    facts = kinds(client, job.id)

    assert (facts[0], facts[-1]) == ("queued", "succeeded")
    assert client.job(job.id).outputs["2"]["notes"] == {"text": ["5"]}
    assert [each.id for each in client.jobs(label="mine").jobs] == [job.id]
    assert client.jobs(["failed"]).total == 0


def test_the_same_id_is_the_same_job(client: Client) -> None:
    first = client.submit(shown(2), job="my own")
    assert client.submit(shown(2), job="my own").created == first.created
    with pytest.raises(JobConflict):
        client.submit(shown(3), job="my own")


def test_steer_the_queue(client: Client) -> None:
    assert client.pause().paused
    ids = [client.submit(shown(value)).id for value in (10, 11, 12)]
    assert client.reorder(ids[::-1]).order == tuple(ids[::-1])
    assert client.cancel(ids[0]).state == "cancelled"
    assert not client.resume().paused
    assert kinds(client, *ids).count("succeeded") == 2


def test_what_the_server_says_is_wrong_is_an_exception_of_its_kind(client: Client) -> None:
    with pytest.raises(NoSuchJob, match="no job"):
        client.job("none")
    with pytest.raises(ValidationError) as invalid:
        client.submit(after(Add={"a": "many", "b": 1}))
    assert invalid.value.faults[0].input == "a"
    with pytest.raises(NoSuchJob):
        next(client.watch("none"))


def test_a_session(client: Client) -> None:
    session = client.open(shown(4))
    assert session.nodes["2"].state == "depends"
    run = session.run()
    assert kinds(client, run.job)[-1] == "succeeded"
    while session.nodes["1"].state != "remembered":
        session = client.session(session.id)
    told, data = session.value("1")
    assert (told.value, told.revision, data) == (4, 1, None)

    edited = session.edit(SetInput(op="set", node="1", input="value", value=6))
    assert (session.revision, edited.nodes["1"].state, session.nodes["1"].state) == (2, "runs", "runs")
    assert session.plan().steps["1"].why == "value changed"
    with pytest.raises(BadEdit):
        session.edit(SetInput(op="set", node="9", input="value", value=6))
    undone = session.undo()
    assert (undone.redo, session.graph, session.revision) == (1, shown(4), 3)
    assert session.redo().graph == {"1": session.graph["1"]} and session.graph["1"]["inputs"] == {"value": 6}
    assert session.load(shown(9)).graph == session.graph == shown(9)
    session.undo()
    session.live()
    while not (isinstance(event := client.event(20), Fact) and event.kind == "succeeded" and event.job != run.job):
        assert event is not None
    assert event.revision == session.revision == 6
    session.cancel()
    session.close()


def test_previews_come_as_bytes(client: Client) -> None:
    job = client.submit(after(Steps={"value": 1, "count": 50, "seconds": 0.01}))
    previews = [message.data for message in client.watch(job.id, previews=True) if isinstance(message, Preview)]

    assert previews and set(previews) == {SKETCH}


def test_watching_goes_on_over_a_lost_connection(server: Online, client: Client) -> None:
    job = client.submit(after(Steps={"value": 2, "count": 100, "seconds": 0.01}))
    seqs, whole = [], []
    for message in client.watch(job.id):
        if isinstance(message, Fact):
            seqs.append(message.seq)
            if message.kind in ("began", "node_started"):
                server.cut_off()
    with Client(server.url) as other:
        whole = [message.seq for message in other.watch(job.id) if isinstance(message, Fact)]

    assert seqs == whole


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable) as caught:
        Client("http://127.0.0.1:9")

    assert "loomis serve" in str(caught.value.hint)
    assert isinstance(caught.value, LoomisError)


def test_a_server_that_goes_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.client.client.TRIES", 1)
    with online(tmp_path) as background:
        client = Connection(background.url)
        watching = client.watch(client.submit(shown(1)).id)
        next(watching)
    with pytest.raises(Unreachable):
        client.queue()
    client.close()


def test_the_example_of_the_documentation_works(server: Online, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[3] / "docs/protocol.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    exec(code.replace("http://127.0.0.1:8188", server.url), {})

    assert capsys.readouterr().out == "2 invalid\n"


def test_a_batch_is_submitted_watched_and_looked_at(client: Client) -> None:
    batch = client.submit_batch(shown(1), grid={"value": "4..6"}, out="batches/{value}")
    facts = list(client.watch_batch(batch.id))

    assert [fact.kind for fact in facts] == ["row", "row", "row", "batch_ended"]
    assert [fact.body["texts"] for fact in facts[:-1]] == [["4"], ["5"], ["6"]]
    assert client.batch(batch.id).state == "succeeded" and client.cancel_batch(batch.id).done == 3
    assert [row["values"] for row in client.batch_rows(batch.id, offset=1).rows] == [{"value": 5}, {"value": 6}]
    assert list(client.watch_batch(batch.id)) == facts
    assert [each.id for each in client.batches().batches][:1] == [batch.id]
    with pytest.raises(NoSuchJob):
        list(client.watch_batch("none"))


def test_a_batch_that_stopped_is_watched_to_its_stop_then_to_its_end(tmp_path: Path) -> None:
    manifest = tmp_path / "out" / "w" / "manifest.jsonl"

    def watched() -> list[Fact]:
        with online(tmp_path) as server, closing(Connection(server.url)) as client:
            return list(client.watch_batch("w"))

    with online(tmp_path) as server, closing(Connection(server.url)) as client:
        nap = after(Nap={"value": 1, "seconds": 0.3})
        client.submit_batch(nap, batch="w", grid={"value": "1..3"}, out="w/{row}")
    noted = manifest.read_bytes()
    manifest.write_text("not mine")
    assert [fact.body["state"] for fact in watched()][-1:] == ["stopped"]
    manifest.write_bytes(noted)
    assert [fact.body["state"] for fact in watched()][-1:] == ["succeeded"]


def test_a_batch_is_watched_over_a_lost_connection(server: Online, client: Client) -> None:
    batch = client.submit_batch(after(Nap={"value": 1, "seconds": 0.1}), grid={"value": "1..8"}, out="lost/{value}")
    watched = client.watch_batch(batch.id)
    first = next(watched)
    server.cut_off()
    rest = list(watched)

    assert [fact.body["row"] for fact in (first, *rest[:-1])] == list(range(1, 9))
