"""Sessions of the server: how many there are, and how long one is kept that nobody watches."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from server.protocol.codec import FORMS
from server.protocol.edits import AddNode
from server.protocol.outbox import Outbox
from server.session.errors import NoSession, TooManySessions
from server.socket import desk as desk_module
from server.socket import desks
from server.socket.desk import Desk
from server.socket.desks import Desks
from server.socket.listening import Listening
from server.socket.sender import Sender
from server.socket.sessions import Sessions
from tests.server.words import served


def run(folder: Path, test: "Callable[[Desks], object]") -> None:
    async def main() -> None:
        async with served(folder) as services:
            await test(Desks(services.engine, services.jobs))  # type: ignore[misc]

    asyncio.run(main())


async def watched(all_: Desks) -> Desk:
    desk = await all_.open(lambda: None)
    desk.watch(lambda said: None, {})
    return desk


def test_a_session_is_found_until_it_is_closed(tmp_path: Path) -> None:
    async def test(all_: Desks) -> None:
        desk = await watched(all_)
        assert await all_.find(desk.session.id) is desk
        all_.close(desk.session.id)
        with pytest.raises(NoSession):
            await all_.find(desk.session.id)

    run(tmp_path, test)


def test_there_is_a_bound_and_those_that_were_left_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MOST", 3)

    async def test(all_: Desks) -> None:
        kept = [await watched(all_) for _ in range(3)]
        with pytest.raises(TooManySessions):
            await all_.open(lambda: None)
        await kept[2].leave()
        await kept[0].leave()
        await watched(all_)
        assert await all_.find(kept[0].session.id) is kept[0]
        kept[0].watch(lambda said: None, {})
        with pytest.raises(TooManySessions):
            await all_.find(kept[2].session.id)

    run(tmp_path, test)


def test_a_session_that_was_left_for_long_comes_back_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(all_: Desks) -> None:
        left, stays = await watched(all_), await watched(all_)
        add = AddNode(op="add", class_type="Number", inputs={"value": 1})
        await left.change(lambda: left.session.draft([add]))
        await left.leave()
        monkeypatch.setattr(desks, "KEPT_SECONDS", 0.0)
        await watched(all_)
        assert await all_.find(stays.session.id) is stays
        again = await all_.find(left.session.id)
        assert again is not left
        assert (again.session.prompt, again.session.revision) == (left.session.prompt, 2)
        assert again.session.states["1"].state == "runs"

    run(tmp_path, test)


def test_a_session_that_is_closed_while_it_is_written_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "KEEP_SECONDS", 0.0)

    async def test(all_: Desks) -> None:
        desk = await watched(all_)
        add = AddNode(op="add", class_type="Number", inputs={"value": "\u00e9" * 2_000_000})
        await desk.change(lambda: desk.session.draft([add]))
        await asyncio.sleep(0.001)
        await desk.rest()
        all_.close(desk.session.id)
        await asyncio.sleep(0.1)
        with pytest.raises(NoSession):
            await all_.find(desk.session.id)

    run(tmp_path, test)


def test_an_edit_whose_client_is_cut_off_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "KEEP_SECONDS", 60.0)

    async def test(all_: Desks) -> None:
        desk = await watched(all_)
        await desk.set_live(True, None)
        adds = [AddNode(op="add", class_type="Show", inputs={"value": 1})]
        editing = asyncio.create_task(desk.change(lambda: desk.session.draft(adds)))
        while not desk.under_way:
            await asyncio.sleep(0)
        editing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await editing
        await desk.leave()
        monkeypatch.setattr(desks, "KEPT_SECONDS", 0.0)
        await watched(all_)
        assert (await all_.find(desk.session.id)).session.revision == 2

    run(tmp_path, test)


def test_sessions_are_left_while_another_connection_takes_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with served(tmp_path) as services:
            all_ = Desks(services.engine, services.jobs)
            listening = Listening(services.jobs, Sender(next(iter(FORMS.values())), Outbox(), NotImplemented))
            sessions = Sessions(services.engine, all_, listening, lambda said: None)
            opened = [await watched(all_) for _ in range(3)]
            for desk in opened:
                desk.watch(lambda said: None, listening.sessions)
                desk.left_at = 0.0
                await desk.change(lambda desk=desk: desk.session.draft([AddNode(op="add", class_type="Number")]))
            leaving = asyncio.create_task(sessions.leave())
            await asyncio.sleep(0)
            for desk in (opened[0], opened[2]):
                desk.watch(lambda said: None, {})
            await leaving
            assert [desk.tell is None for desk in opened] == [False, True, False]

    asyncio.run(main())
