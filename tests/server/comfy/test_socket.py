"""ComfyUI's socket, against a real server."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from server.jobs.records import Submission
from tests.server.online import Online, online
from tests.server.vocabulary import SKETCH
from tests.server.words import after, done, n, shown, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as server:
        yield server


@asynccontextmanager
async def joined(server: Online, path: str = "/ws") -> AsyncIterator[tuple[ClientConnection, str]]:
    async with connect(f"ws://127.0.0.1:{server.port}{path}") as socket:
        first = await told(socket)
        assert first["type"] == "status"
        yield socket, first["data"]["sid"]


async def told(socket: ClientConnection) -> Any:
    frame = await asyncio.wait_for(socket.recv(), 20)
    return json.loads(frame) if isinstance(frame, str) else frame


async def story(socket: ClientConnection, job: str) -> list[Any]:
    """Return all frames up to the one that says that a job is over."""
    frames = []
    while True:
        frame = await told(socket)
        frames.append(frame)
        if frame == {"type": "executing", "data": {"prompt_id": job, "node": None}}:
            return frames


def kinds(frames: list[Any]) -> list[str]:
    return [frame["type"] for frame in frames if isinstance(frame, dict)]


def of(frames: list[Any], kind: str) -> list[Any]:
    return [frame["data"] for frame in frames if isinstance(frame, dict) and frame["type"] == kind]


def submit(server: Online, graph: dict[str, Any], id: str, **more: Any) -> None:
    server.do(server.services.jobs.submit(Submission(graph, id=id, **more)))


async def test_a_job_is_told_in_order(server: Online):
    graph = {"1": n("Number", value=41), "2": n("Show", value=("1", 0))}
    async with joined(server) as (socket, sid):
        submit(server, graph, "order", client=sid)
        frames = await story(socket, "order")
    assert kinds(frames) == [
        "status", "status", "execution_start", "execution_cached",
        "progress_state", "executing", "progress_state",
        "progress_state", "executing", "executed", "progress_state",
        "execution_success", "status", "executing",
    ]  # fmt: skip
    assert [data["status"]["exec_info"]["queue_remaining"] for data in of(frames, "status")] == [1, 1, 0]
    assert of(frames, "executing")[0] == {"prompt_id": "order", "node": "1", "display_node": "1"}
    assert of(frames, "executed") == [
        {"prompt_id": "order", "node": "2", "display_node": "2", "output": {"text": ["41"]}}
    ]
    assert of(frames, "progress_state")[-1]["nodes"]["2"] == {
        "value": 1, "max": 1, "state": "finished", "prompt_id": "order", "node_id": "2", "display_node_id": "2",
        "parent_node_id": None, "real_node_id": "2",
    }  # fmt: skip


async def test_cached_outputs_are_answered_again(server: Online):
    graph = {"1": n("Picture", colour="green")}
    async with joined(server) as (socket, sid):
        submit(server, graph, "first", client=sid)
        (before,) = of(await story(socket, "first"), "executed")
        submit(server, graph, "second", client=sid)
        frames = await story(socket, "second")
    assert of(frames, "execution_cached")[0]["nodes"] == ["1"]
    assert of(frames, "executed") == [before | {"prompt_id": "second"}]
    assert before["output"]["images"][0] == {"filename": "picture_00001_.png", "subfolder": "", "type": "output"}
    assert "progress_state" not in kinds(frames)


async def test_failures_and_interrupts_are_told(server: Online):
    async with joined(server) as (socket, sid):
        submit(server, after(Fail={"value": 3}), "fails", client=sid)
        frames = await story(socket, "fails")
        (error,) = of(frames, "execution_error")
        assert (error["node_id"], error["node_type"], error["exception_type"]) == ("1", "Fail", "ValueError")
        assert (error["current_inputs"], error["current_outputs"]) == ({"value": ["3"]}, [])
        assert [line for line in error["traceback"] if "raise ValueError" in line] == error["traceback"][-1:]
        assert kinds(frames)[-3:] == ["execution_error", "status", "executing"]
        submit(server, after(Steps={"value": 1, "count": 3000, "seconds": 0.01}), "stops", client=sid)
        server.do(until(server.services.jobs, "node_started", since=server.services.jobs.seq - 1))
        server.do(server.services.jobs.cancel("stops"))
        frames = await story(socket, "stops")
        (stopped,) = of(frames, "execution_interrupted")
        assert (stopped["node_id"], stopped["node_type"], stopped["executed"]) == ("1", "Steps", [])


async def test_a_block_with_a_message_is_told_and_the_job_goes_on(server: Online):
    graph = {"1": n("Gate", value=1, message="no entry"), "2": n("Show", value=("1", 0)), "3": n("Show", value="free")}
    graph |= {"4": n("Gate", value=1, message=""), "5": n("Show", value=("4", 0))}
    async with joined(server) as (socket, sid):
        for id in ("blocked", "remembered"):
            submit(server, graph, id, client=sid)
            frames = await story(socket, id)
            (error,) = of(frames, "execution_error")
            assert error | {"executed": []} == {
                "prompt_id": id, "node_id": "1", "node_type": "Gate", "executed": [], "exception_message": "no entry",
                "exception_type": "ExecutionBlocked", "traceback": [], "current_inputs": [], "current_outputs": [],
            }  # fmt: skip
            assert [data["node"] for data in of(frames, "executed")] == ["3"]
            assert "execution_success" in kinds(frames)
    assert server.services.jobs.get("blocked").state == "succeeded"


@pytest.mark.parametrize("metadata", [True, False])
async def test_progress_and_previews_come_in_the_form_that_a_client_reads(server: Online, metadata: bool):
    id = f"previews-{metadata}"
    async with joined(server, "/api/ws") as (socket, sid):
        if metadata:
            await socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
            flags = await told(socket)
            assert (flags["type"], flags["data"]["supports_preview_metadata"]) == ("feature_flags", True)
        else:
            await socket.send(json.dumps({"type": "feature_flags", "data": {}}))
            await told(socket)
        submit(server, after(Steps={"value": 20 + metadata, "count": 40, "seconds": 0.02}), id, client=sid)
        frames = await story(socket, id)
    pictures = [frame for frame in frames if isinstance(frame, bytes)]
    assert pictures
    for frame in pictures:
        kind, number = struct.unpack(">II", frame[:8])
        if metadata:
            about = json.loads(frame[8 : 8 + number])
            assert (kind, frame[8 + number :]) == (4, SKETCH)
            assert about == {
                "prompt_id": id, "node_id": "1", "display_node_id": "1", "parent_node_id": None, "real_node_id": "1",
                "image_type": "image/jpeg",
            }  # fmt: skip
        else:
            assert (kind, number, frame[8:]) == (1, 1, SKETCH)
    steps = [(data["node"], data["max"]) for data in of(frames, "progress")]
    assert set(steps) == {("1", 40)}
    assert max(data["nodes"]["1"]["value"] for data in of(frames, "progress_state")) == 40


@pytest.mark.parametrize(("method", "sent"), [(None, False), ("default", False), ("none", False), ("auto", True)])
async def test_a_client_that_says_nothing_gets_pictures_only_if_it_asks(server: Online, method: str | None, sent: bool):
    labels = (f"preview_method:{method}",) if method else ()
    async with joined(server) as (socket, sid):
        await socket.send("no JSON")
        graph = after(Steps={"value": len(method or ""), "count": 50 if sent else 12, "seconds": 0.02})
        submit(server, graph, f"asked-{method}", client=sid, labels=labels)
        frames = await story(socket, f"asked-{method}")
    assert any(isinstance(frame, bytes) for frame in frames) is sent


def pictures(frames: list[Any], node: str) -> list[Any]:
    """Return the colours of the pictures of a node, read as clients do: binary frames while it is told to run."""
    current, found = None, []
    for frame in frames:
        if isinstance(frame, dict) and frame["type"] == "executing":
            current = frame["data"]["node"]
        elif isinstance(frame, bytes) and current == node:
            assert struct.unpack(">II", frame[:8]) == (1, 2)
            picture = Image.open(BytesIO(frame[8:]))
            assert picture.format == "PNG" and not picture.info
            found.append(picture.getpixel((0, 0)))
    return found


async def test_pictures_for_a_client_arrive_all_of_them_and_to_it_alone(server: Online):
    graph = {"1": n("SaveImageWebsocket", colours=" ".join(f"#0000{blue:02x}" for blue in range(40)))}
    async with joined(server, "/ws?clientId=sees") as (socket, _), joined(server, "/ws?clientId=else") as (other, _):
        for id in ("sent", "sent-again"):
            submit(server, graph, id, client="sees")
            frames = await story(socket, id)
            assert pictures(frames, "1") == [(0, 0, blue) for blue in range(40)]
            (executed,) = of(frames, "executed")
            assert [item["type"] for item in executed["output"].pop("images")] == ["temp"] * 40
            assert executed["output"] == {}
            order = ["picture" if isinstance(frame, bytes) else frame["type"] for frame in frames]
            assert order.index("executing") < order.index("picture") < order.index("executed")
        submit(server, shown(80), "elses", client="else")
        assert not any(isinstance(frame, bytes) for frame in await story(other, "elses"))


async def test_pictures_for_a_client_are_told_from_what_else_runs(server: Online):
    graph = {
        "1": n("SaveImageWebsocket", colours="red lime", wait=0.2),
        "2": n("Nap", value=9, seconds=0.8),
        "3": n("Show", value=("2", 0)),
    }
    async with joined(server) as (socket, sid):
        submit(server, graph, "beside", client=sid)
        frames = await story(socket, "beside")
    assert pictures(frames, "1") == [(255, 0, 0), (0, 255, 0)]
    assert [data["node"] for data in of(frames, "executing")][-3:] == ["2", "3", None]


@pytest.mark.parametrize("metadata", [False, True])
async def test_previews_of_what_else_runs_are_not_taken_for_pictures(server: Online, metadata: bool):
    graph = {
        "1": n("Steps", value=30 + metadata, count=60, seconds=0.02),
        "2": n("Show", value=("1", 0)),
        "3": n("Nap", value=31 + metadata, seconds=0.3),
        "4": n("SaveImageWebsocket", colours="red lime", wait=0.4, after=("3", 0)),
    }
    async with joined(server) as (socket, sid):
        if metadata:
            await socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
            await told(socket)
        submit(server, graph, f"steps-{metadata}", client=sid, labels=("preview_method:auto",))
        frames = await story(socket, f"steps-{metadata}")
    current, found = None, []
    for frame in frames:
        if isinstance(frame, bytes):
            found.append((current, frame))
        elif frame["type"] == "executing":
            current = frame["data"]["node"]
    order = [data["node"] for data in of(frames, "executing")]
    assert order.index("1") < order.index("4") < order.index("2")
    during = [frame for node, frame in found if node == "4"]
    assert len(during) > 2 if metadata else [frame[:8] for frame in during] == [struct.pack(">II", 1, 2)] * 2
    after = found.index(("4", during[-1])) + 1
    assert found[0][0] != "4" and after < len(found)


async def test_a_node_of_another_type_sends_no_pictures_whatever_it_shows(server: Online):
    async with joined(server) as (socket, sid):
        submit(server, {"1": n("Claim", colours="red")}, "claims", client=sid)
        frames = await story(socket, "claims")
    assert not any(isinstance(frame, bytes) for frame in frames)
    assert of(frames, "executed")[0]["output"]["websocket"] == [True]


async def test_pictures_come_with_metadata_to_a_client_that_reads_it(server: Online):
    async with joined(server) as (socket, sid):
        await socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        await told(socket)
        submit(server, {"1": n("SaveImageWebsocket", colours="blue")}, "with-metadata", client=sid)
        (frame,) = [each for each in await story(socket, "with-metadata") if isinstance(each, bytes)]
    kind, length = struct.unpack(">II", frame[:8])
    about = json.loads(frame[8 : 8 + length])
    assert (kind, about["node_id"], about["prompt_id"]) == (4, "1", "with-metadata")
    assert (about["image_type"], frame[8 + length :][:4]) == ("image/png", b"\x89PNG")


async def test_each_client_hears_of_its_own_jobs(server: Online):
    async with joined(server, "/ws?clientId=one") as (one, sid), joined(server, "/ws?clientId=two") as (two, _):
        assert sid == "one"
        submit(server, shown(77), "ones", client="one")
        submit(server, shown(78), "nobodys")
        submit(server, shown(79), "twos", client="two")
        heard = await story(two, "twos")
        assert {data["prompt_id"] for frame in ("executing", "executed") for data in of(heard, frame)} == {"twos"}
        assert "executed" in kinds(await story(one, "ones"))


async def test_who_comes_back_hears_what_runs_and_the_rest(server: Online):
    steps = after(Steps={"value": 5, "count": 200, "seconds": 0.01})
    async with joined(server, "/ws?clientId=back"):
        submit(server, steps, "goes-on", client="back")
        server.do(until(server.services.jobs, "node_started", since=server.services.jobs.seq - 1))
    async with joined(server, "/ws?clientId=back") as (old, _), joined(server, "/ws?clientId=back") as (socket, sid):
        assert sid == "back"
        assert await told(socket) == {"type": "executing", "data": {"node": "1"}}
        await old.close()
        frames = await story(socket, "goes-on")
        assert of(frames, "execution_start") == []
        assert kinds(frames)[-3:] == ["execution_success", "status", "executing"]
        assert set(of(frames, "progress_state")[-1]["nodes"]) == {"1", "2"}


async def test_a_client_that_does_not_read_costs_nobody_else(server: Online, tmp_path: Path):
    async with joined(server, "/ws?clientId=reads") as (socket, _):
        deaf = await connect(f"ws://127.0.0.1:{server.port}/ws?clientId=deaf", max_queue=1, close_timeout=0.1)
        for at in range(5):
            submit(server, {"1": n("Show", value=str(at) * 2_000_000)}, f"deaf-{at}", client="deaf")
        submit(server, shown(5), "heard", client="reads")
        assert "executed" in kinds(await story(socket, "heard"))
        await deaf.close()


async def test_large_graphs_are_told_in_few_states(server: Online):
    graph = {"n0": n("Number", value=1000)}
    graph |= {f"n{at}": n("Add", a=(f"n{at - 1}", 0), b=1000) for at in range(1, 300)}
    graph["end"] = n("Show", value=("n299", 0))
    async with joined(server) as (socket, sid):
        submit(server, graph, "large", client=sid)
        frames = await story(socket, "large")
    states = of(frames, "progress_state")
    assert len(states) < 600
    assert {state["state"] for state in states[-1]["nodes"].values()} == {"finished"}
    assert len(states[-1]["nodes"]) == 301
    assert kinds(frames).index("execution_success") > max(
        at for at, kind in enumerate(kinds(frames)) if kind == "progress_state"
    )


async def test_an_interrupt_of_nobodys_job_is_told_to_all(server: Online):
    async with joined(server) as (socket, _):
        submit(server, after(Steps={"value": 8, "count": 3000, "seconds": 0.01}), "nobody")
        server.do(until(server.services.jobs, "node_started", since=server.services.jobs.seq - 1))
        server.do(server.services.jobs.cancel("nobody"))
        while (frame := await told(socket))["type"] != "execution_interrupted":
            assert frame["type"] == "status"
        assert frame["data"]["prompt_id"] == "nobody"
        server.do(done(server.services.jobs, "nobody"))
