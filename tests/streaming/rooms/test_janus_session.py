"""The WebSocket API of Janus: which answer belongs to what, and every way to lose a session.

The server here is a script; the real Janus is in `tests/e2e/test_janus.py`.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from streaming.rooms import janus_session
from streaming.rooms.janus_session import JanusError, JanusSession, Message
from streaming.rooms.staying import LostError
from tests.streaming.conftest import until

PLUGIN, SESSION, HANDLE = "janus.plugin.videoroom", 7, 9


class Script:
    """Answers as Janus does, but for the kinds of request in `instead`."""

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.instead: dict[str, list[Any]] = {}
        self.socket: ServerConnection | None = None

    async def run(self, socket: ServerConnection) -> None:
        assert socket.subprotocol == "janus-protocol"
        self.socket = socket
        async for text in socket:
            request = json.loads(text)
            self.asked.append(request)
            for answer in self.instead.get(request["janus"], _usual(request)):
                if answer == "close":
                    return
                fields = {"transaction": request["transaction"]} if isinstance(answer, dict) else {}
                await socket.send(json.dumps({**fields, **answer} if fields else answer))

    def asked_for(self, kind: str) -> list[Message]:
        return [request for request in self.asked if request["janus"] == kind]

    async def tell(self, message: Any) -> None:
        await self.socket.send(json.dumps(message))


def _usual(request: Message) -> list[Message]:
    if request["janus"] == "message":
        data = {"videoroom": "event", "said": request["body"]}
        return [{"janus": "ack"}, _event(data)]
    identity = {"create": SESSION, "attach": HANDLE}.get(request["janus"])
    return [{"janus": "success", "data": {"id": identity}}]


def _event(data: Message) -> Message:
    return {"janus": "event", "sender": HANDLE, "plugindata": {"plugin": PLUGIN, "data": data}}


@pytest.fixture
def script() -> Script:
    return Script()


@asynccontextmanager
async def opened(script: Script):
    """A session of a scripted server; no task of it is left behind."""
    before = asyncio.all_tasks()
    async with serve(script.run, "127.0.0.1", 0, subprotocols=["janus-protocol"]) as server:
        port = server.sockets[0].getsockname()[1]
        async with JanusSession(f"ws://127.0.0.1:{port}", "secret") as session:
            yield session
        left_over = {task.get_name() for task in asyncio.all_tasks() - before}
        assert not {name for name in left_over if name.startswith("janus")}


async def test_every_request_names_session_secret_and_handle(script):
    async with opened(script) as session:
        handle = await session.attach(PLUGIN, lambda message: None)
        await session.message(handle, {"request": "join"}, {"type": "offer", "sdp": "v=0"})
    create, attach, message, destroy = script.asked
    assert create["janus"] == "create" and "session_id" not in create
    assert (attach["plugin"], attach["session_id"]) == (PLUGIN, SESSION)
    assert (message["handle_id"], message["jsep"]["sdp"]) == (HANDLE, "v=0")
    assert (destroy["janus"], destroy["session_id"]) == ("destroy", SESSION)
    assert {request["apisecret"] for request in script.asked} == {"secret"}
    assert len({request["transaction"] for request in script.asked}) == 4


async def test_the_event_and_not_the_acknowledgement_answers_a_message(script):
    async with opened(script) as session:
        handle = await session.attach(PLUGIN, lambda message: None)
        event = await session.message(handle, {"request": "join"})
    assert event["plugindata"]["data"]["said"] == {"request": "join"}


async def test_events_without_a_request_go_to_their_handle(script):
    heard: list[Message] = []
    async with opened(script) as session:
        await session.attach(PLUGIN, heard.append)
        await script.tell({"janus": "hangup", "sender": HANDLE, "reason": "DTLS alert"})
        await script.tell({"janus": "hangup", "sender": HANDLE + 1})
        await script.tell(_event({"videoroom": "event", "leaving": 3}))
        await until(lambda: len(heard) == 2)
    assert heard[0]["reason"] == "DTLS alert"
    assert heard[1]["plugindata"]["data"]["leaving"] == 3


async def test_refusals_of_the_plugin_and_of_janus_have_code_and_words(script):
    refused = {"error_code": 433, "error": "Unauthorized (wrong pin)"}
    script.instead["message"] = [{"janus": "ack"}, _event(refused)]
    script.instead["detach"] = [{"janus": "error", "error": {"code": 403, "reason": "No"}}]
    async with opened(script) as session:
        with pytest.raises(JanusError, match=r"wrong pin\) \(433\)") as refusal:
            await session.message(HANDLE, {"request": "join"})
        assert refusal.value.code == 433
        with pytest.raises(JanusError, match=r"No \(403\)"):
            await session.detach(HANDLE)


async def test_the_session_is_kept_alive(script, monkeypatch):
    monkeypatch.setattr(janus_session, "KEEPALIVE_S", 0.02)
    async with opened(script):
        await until(lambda: len(script.asked_for("keepalive")) >= 3)
    assert {request["session_id"] for request in script.asked_for("keepalive")} == {SESSION}


GONE = {"janus": "error", "error": {"code": 458, "reason": "No such session"}}


@pytest.mark.parametrize("answer", [[GONE], ["close"], [[1]], []], ids=str)
async def test_a_keepalive_that_is_not_answered_loses_the_session(script, answer, monkeypatch):
    monkeypatch.setattr(janus_session, "KEEPALIVE_S", 0.02)
    monkeypatch.setattr(janus_session, "REQUEST_S", 0.2)
    script.instead["keepalive"] = answer
    async with opened(script) as session:
        with pytest.raises(LostError):
            async with asyncio.timeout(5):
                await session.watch()


@pytest.mark.parametrize("answer", [[GONE], ["close"], [[1]], []], ids=str)
async def test_a_request_that_is_not_answered_fails(script, answer, monkeypatch):
    monkeypatch.setattr(janus_session, "REQUEST_S", 0.2)
    script.instead["attach"] = answer
    async with opened(script) as session:
        with pytest.raises(LostError):
            async with asyncio.timeout(5):
                await session.attach(PLUGIN, lambda message: None)


async def test_a_session_that_timed_out_is_lost(script):
    async with opened(script) as session:
        await script.tell({"janus": "timeout", "session_id": SESSION})
        with pytest.raises(LostError, match="timed out"):
            await session.watch()
    assert not script.asked_for("destroy")


async def test_a_server_that_refuses_or_is_not_there_leaves_nothing_behind(script):
    script.instead["create"] = [{"janus": "error", "error": {"code": 403, "reason": "No"}}]
    with pytest.raises(JanusError, match="403"):
        async with opened(script):
            pass
    with pytest.raises(LostError, match="cannot be reached"):
        async with JanusSession("ws://127.0.0.1:1"):
            pass
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("janus")]
