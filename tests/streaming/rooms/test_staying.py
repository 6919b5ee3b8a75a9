"""Staying in a room: what is tried again, what is not, and how one leaves."""

from __future__ import annotations

import asyncio

import pytest

from streaming.rooms import staying
from streaming.rooms.participant import RoomError
from streaming.rooms.staying import LostError, stay


class FakeRoom:
    outlets = ()

    def __init__(self) -> None:
        self.connected, self.left = asyncio.Event(), asyncio.Event()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(staying, "SHORTEST_S", 0.001)
    monkeypatch.setattr(staying, "LONGEST_S", 0.004)


async def test_a_room_that_was_never_reached_is_given_up_at_once():
    async def connect():
        raise LostError("nobody answers")

    with pytest.raises(RoomError, match="nobody answers"):
        await stay(FakeRoom(), connect)


async def test_a_room_that_was_reached_is_tried_again_until_it_is_there(caplog):
    room, tries = FakeRoom(), 0

    async def connect():
        nonlocal tries
        tries += 1
        room.connected.set()
        if tries < 6:
            raise LostError("gone")
        room.left.set()

    await stay(room, connect)
    assert tries == 6
    waits = [float(record.args[1]) for record in caplog.records if record.name == stay.__module__]
    assert waits == [0.001, 0.002, 0.004, 0.004, 0.004]


async def test_a_room_that_asks_for_patience_gets_it(caplog):
    room = FakeRoom()
    room.connected.set()

    async def connect():
        asyncio.get_running_loop().call_later(0.05, room.left.set)
        raise LostError("full", retry_s=30)

    await stay(room, connect)
    assert caplog.records[0].args[1] == 30


async def test_leaving_says_good_bye_first():
    room, said = FakeRoom(), []

    async def connect():
        try:
            room.connected.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            said.append("bye")

    staying_ = asyncio.create_task(stay(room, connect))
    await room.connected.wait()
    room.left.set()
    await staying_
    assert said == ["bye"]


async def test_being_cancelled_says_good_bye_too():
    room, said = FakeRoom(), []

    async def connect():
        try:
            room.connected.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            said.append("bye")

    staying_ = asyncio.create_task(stay(room, connect))
    await room.connected.wait()
    staying_.cancel()
    await asyncio.gather(staying_, return_exceptions=True)
    assert said == ["bye"]


async def test_a_refusal_for_good_is_not_tried_again():
    room = FakeRoom()
    room.connected.set()

    async def connect():
        raise RoomError("wrong token")

    with pytest.raises(RoomError, match="wrong token"):
        await stay(room, connect)
