"""Editors over loopback: open, edit, plan, run, values, live mode."""

import asyncio
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

from tests.server.socket.online import Message, online
from tests.server.vocabulary import SKETCH
from tests.server.words import after, n, shown

SAVED = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "Number", "widgets_values": [4], "outputs": [{"name": "INT", "type": "INT", "links": [1]}]},
        {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 1}]},
    ],
    "links": [[1, 1, 0, 2, 0, "INT"]],
}
"""A workflow as the editor saves it."""


def png(workflow: dict[str, Any]) -> bytes:
    """Return a picture of one pixel that carries a workflow."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    text = b"prompt\0" + json.dumps(workflow).encode()
    body = zlib.compress(b"\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", text) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def put(value: int) -> list[dict[str, Any]]:
    return [{"op": "set", "node": "1", "input": "value", "value": value}]


def states(nodes: dict[str, Message]) -> dict[str, str]:
    return {id: node["state"] for id, node in nodes.items()}


def test_a_session_opens_on_any_format(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            for workflow in (shown(4), SAVED):
                opened = await client.result("session.open", workflow=workflow)
                assert states(opened["nodes"]) == {"1": "runs", "2": "depends"}
                assert opened["graph"]["1"]["inputs"] == {"value": 4}
            assert (await client.result("session.open"))["graph"] == {}
            head = json.dumps({"id": 99, "command": "session.open"}).encode()
            await client.connection.send(struct.pack(">I", len(head)) + head + png(shown(7)))
            reply = await client.until(lambda message: message.get("id") == 99)
            assert reply["result"]["graph"]["1"]["inputs"] == {"value": 7}
            assert (await client.ask("session.open", workflow={"a": 1}))["error"]["code"] == "workflow"

    asyncio.run(main())


def test_edit_plan_run_and_look_at_values(tmp_path: Path) -> None:
    graph = shown(4) | {"3": n("Add", a=("1", 0), b=1)}

    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            opened = await client.result("session.open", workflow=graph)
            on = {"session": opened["session"]}
            plan = await client.result("session.plan", **on, targets=["3"])
            assert states(plan["steps"]) == {"1": "runs", "3": "depends"}
            run = await client.result("session.run", **on, targets=["3"])
            end = await client.ended(run["job"])
            assert (end["session"], end["revision"], end["current"]) == (opened["session"], 1, True)
            await client.all_remembered("1", "3")

            value = await client.result("value.get", **on, node="3")
            assert (value["format"], value["value"], value["revision"]) == ("json", 5, 1)
            assert value["digest"] == client.nodes["3"]["outputs"][0][0]
            assert (await client.result("value.get", digest=value["digest"]))["value"] == 5

            edited = await client.result("session.edit", **on, edits=put(5), base=1)
            assert (edited["revision"], states(edited["nodes"])) == (2, {"1": "runs", "2": "depends", "3": "depends"})
            assert (await client.ask("session.edit", **on, edits=put(6), base=1))["error"]["code"] == "conflict"
            assert (await client.ask("value.get", **on, node="3"))["error"]["code"] == "not_remembered"
            bad = await client.ask("session.edit", **on, edits=[*put(6), {"op": "remove", "node": "9"}])
            assert bad["error"]["code"] == "bad_edit"
            found = await client.result("session.get", **on)
            assert (found["revision"], found["graph"]["1"]["inputs"]["value"]) == (2, 5)

            wrong = await client.result("session.edit", **on, edits=put("many"))
            assert states(wrong["nodes"]) == {"1": "invalid", "2": "invalid", "3": "invalid"}
            refused = await client.ask("session.run", **on)
            assert refused["error"]["faults"][0]["node"] == "1"
            assert await client.result("session.close", **on) == {}
            assert (await client.ask("session.get", **on))["error"]["code"] == "no_session"

    asyncio.run(main())


def test_a_value_that_is_not_worth_a_file_is_there_after_a_run_to_its_node(tmp_path: Path) -> None:
    """Of some values one at least is made as quickly as it should be: one that the machine was slow at is kept."""

    async def main() -> None:
        async with online(tmp_path, process=True) as server, server.client() as client:
            answer: dict[str, Any] = {}
            for letter in "abcdefgh":
                graph = after(Repeat={"text": letter, "count": 100_000})
                on = {"session": (await client.result("session.open", workflow=graph))["session"]}
                await client.ended((await client.result("session.run", **on))["job"])
                await client.all_remembered()
                answer = await client.ask("value.get", **on, node="1")
                if "error" in answer:
                    break
                await client.result("session.close", **on)
            assert answer["error"]["code"] == "not_remembered"
            run = await client.result("session.run", **on, targets=["1"])
            assert (await client.ended(run["job"]))["kind"] == "succeeded"
            assert (await client.result("value.get", **on, node="1"))["value"] == letter * 100_000

    asyncio.run(main())


def test_a_session_belongs_to_one_connection_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as second:
            async with server.client() as first:
                session = (await first.result("session.open", workflow=shown(1)))["session"]
                assert (await second.ask("session.plan", session=session))["error"]["code"] == "no_session"
                assert (await second.result("session.get", session=session))["revision"] == 1
                assert (await first.ask("session.plan", session=session))["error"]["code"] == "no_session"
                run = await second.result("session.run", session=session)
                await second.ended(run["job"])
                await first.result("ping")
                assert first.told("fact") == []
            await second.result("session.edit", session=session, edits=put(2))

    asyncio.run(main())


def test_cancel_stops_what_a_session_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            graph = after(Steps={"value": 1, "count": 1000, "seconds": 0.01})
            on = {"session": (await client.result("session.open", workflow=graph))["session"]}
            run = await client.result("session.run", **on)
            await client.until(lambda message: message["event"] == "preview")
            assert client.seen[-1]["data"] == SKETCH
            await client.result("session.cancel", **on)
            assert (await client.ended(run["job"]))["kind"] == "cancelled"

    asyncio.run(main())


def test_facts_of_a_session_come_once_to_who_subscribed_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=shown(1)))["session"]}
            await client.ended((await client.result("session.run", **on))["job"])
            await client.result("subscribe")
            await client.result("session.edit", **on, edits=put(2))
            await client.ended((await client.result("session.run", **on))["job"])
            await client.result("unsubscribe")
            await client.result("session.edit", **on, edits=put(3))
            await client.ended((await client.result("session.run", **on))["job"])
            facts = client.told("fact")
            assert client.facts() == list(range(1, facts[-1]["seq"] + 1))
            assert {fact["session"] for fact in facts} == {on["session"]}

    asyncio.run(main())


def slow(value: int) -> dict[str, Any]:
    return {
        "1": n("Number", value=value),
        "2": n("Steps", value=("1", 0), count=5, seconds=0.004),
        "3": n("Show", value=("2", 0)),
    }


def test_live_mode_runs_the_newest_graph_and_shows_nothing_stale_as_current(tmp_path: Path) -> None:
    chance = random.Random(2)

    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=slow(0)))["session"]}
            await client.result("session.live", **on, on=True)
            value = 0
            values = {1: 0}
            for _ in range(25):
                value = chance.randrange(8)
                values[(await client.result("session.edit", **on, edits=put(value)))["revision"]] = value
                await asyncio.sleep(chance.random() * 0.06)
            await client.until(
                lambda message: (
                    message.get("kind") == "saved"
                    and message["current"]
                    and message["body"]["notes"]["text"] == [str(value)]
                )
            )
            check(client.seen, values)

    asyncio.run(main())


def check(seen: list[Message], values: dict[int, int]) -> None:
    """See that what was said to be current was, as of the last edit that was answered before."""
    shown_, revision, superseded = 0, 1, False
    for message in seen:
        if message["event"] == "reply" and "revision" in message["result"]:
            revision = message["result"]["revision"]
        elif message["event"] in ("progress", "preview"):
            assert values[message["revision"]] == values[revision]
        elif message["event"] == "fact" and message["kind"] == "saved":
            assert message["current"] == (values[message["revision"]] == values[revision])
            assert message["body"]["notes"]["text"] == [str(values[message["revision"]])]
            shown_ += message["current"]
        superseded = superseded or message.get("kind") == "cancelled"
    assert shown_ and superseded


def test_live_mode_lets_a_run_go_on_that_an_edit_does_not_touch(tmp_path: Path) -> None:
    graph = slow(1) | {"9": n("Number", value=1)}

    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=graph))["session"]}
            await client.result("session.live", **on, on=True)
            (started,) = client.told("session.started")
            await client.result("session.edit", **on, edits=[{"op": "set", "node": "9", "input": "value", "value": 2}])
            end = await client.ended(started["job"])
            assert (end["kind"], end["revision"], end["current"]) == ("succeeded", 1, True)
            assert client.told("session.started") == [started]

    asyncio.run(main())


def test_live_mode_waits_while_the_graph_is_invalid(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=shown("many")))["session"]}  # type: ignore[arg-type]
            await client.result("session.live", **on, on=True)
            await client.result("session.edit", **on, edits=put(3))
            (started,) = client.told("session.started")
            assert started["revision"] == 2
            assert (await client.ended(started["job"]))["kind"] == "succeeded"
            await client.result("session.edit", **on, edits=[{"op": "remove", "node": "2"}])
            assert (await client.result("session.get", **on))["live"] is True

    asyncio.run(main())


def test_live_mode_of_a_target_that_is_gone_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=shown(1)))["session"]}
            assert (await client.ask("session.live", **on, on=True, targets=["7"]))["event"] == "error"
            await client.result("session.live", **on, on=True, targets=["2"])
            await client.result("session.edit", **on, edits=[{"op": "remove", "node": "2"}])
            (refused,) = client.told("session.refused")
            assert (refused["revision"], refused["error"]["code"]) == (2, "workflow")

    asyncio.run(main())


def test_undo_and_opening_a_file_in_the_same_session(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=shown(4)))["session"]}
            for value in (5, 6):
                edited = await client.result("session.edit", **on, edits=put(value), step="slider")
            assert (edited["graph"], edited["undo"], edited["redo"]) == ({"1": n("Number", value=6)}, 1, 0)
            head = json.dumps({"id": 99, "command": "session.load", **on}).encode()
            await client.connection.send(struct.pack(">I", len(head)) + head + png(shown(7)))
            loaded = (await client.until(lambda message: message.get("id") == 99))["result"]
            assert (loaded["session"], loaded["revision"], loaded["undo"]) == (on["session"], 4, 2)
            assert loaded["graph"]["1"]["inputs"] == {"value": 7}
            undone = await client.result("session.undo", **on)
            assert (undone["graph"], undone["undo"], undone["redo"]) == ({"1": n("Number", value=6)}, 1, 1)
            assert (await client.result("session.undo", **on))["graph"] == {"1": n("Number", value=4)}
            assert (await client.ask("session.undo", **on))["error"]["code"] == "no_step"
            assert (await client.result("session.redo", **on))["graph"] == {"1": n("Number", value=6)}
            both = await client.ask("session.load", **on, workflow=shown(1), data="")
            assert both["event"] == "error"

    asyncio.run(main())


def test_the_error_of_a_node_is_its_state_until_it_is_mended(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            graph = {"1": n("Number", value=4), "2": n("Fail", value=("1", 0)), "3": n("Show", value=("2", 0))}
            on = {"session": (await client.result("session.open", workflow=graph))["session"]}
            await client.ended((await client.result("session.run", **on))["job"])
            told = await client.until(lambda message: message["event"] == "session.changed" and "2" in message["nodes"])
            assert "no 4" in told["nodes"]["2"]["error"]["message"]
            assert told["nodes"]["2"]["error"]["raised"]["inputs"] == {"value": ["4"]}
            assert "no 4" in (await client.result("session.get", **on))["nodes"]["2"]["error"]["message"]
            edited = await client.result("session.edit", **on, edits=put(5))
            assert (edited["nodes"]["2"]["state"], edited["nodes"]["2"]["error"]) == ("depends", None)

    asyncio.run(main())


def test_who_loses_a_session_hears_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with online(tmp_path) as server, server.client() as first, server.client() as second:
            session = (await first.result("session.open", workflow=shown(1)))["session"]
            await first.result("session.get", session=session)
            await second.result("session.get", session=session)
            assert (await first.until(lambda message: message["event"] == "session.taken"))["session"] == session
            await second.result("session.get", session=session)
            assert (len(first.told("session.taken")), second.told("session.taken")) == (1, [])

    asyncio.run(main())


def test_a_session_survives_the_server_with_its_run(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    graph = {"1": n("Await", value=5, path=str(gate)), "2": n("Show", value=("1", 0))}

    async def main() -> None:
        async with online(tmp_path) as server, server.client() as client:
            on = {"session": (await client.result("session.open", workflow=graph))["session"]}
            edit = {"op": "set", "node": "1", "input": "value", "value": 6}
            await client.result("session.edit", **on, edits=[edit])
            run = await client.result("session.run", **on)
            await client.until(lambda message: message.get("kind") == "node_started")
            assert on["session"].encode() not in server.services.jobs.sent(run["job"])["annotations"]
        async with online(tmp_path) as server, server.client() as client:
            found = await client.result("session.get", **on)
            assert (found["revision"], found["graph"]["1"]["inputs"]["value"]) == (2, 6)
            assert found["runs"] == [run]
            gate.touch()
            end = await client.ended(run["job"])
            assert (end["kind"], end["session"], end["current"]) == ("succeeded", on["session"], True)
            await client.all_remembered()
            await client.result("session.close", **on)
        async with online(tmp_path) as server, server.client() as client:
            assert (await client.ask("session.get", **on))["error"]["code"] == "no_session"

    asyncio.run(main())
