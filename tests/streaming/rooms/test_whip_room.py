"""The publisher, against an endpoint that is a script and a receiver that is aiortc's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streaming.ice import IceSettings, gather_on, ice_server
from streaming.rooms import staying
from streaming.rooms.participant import RoomError, take_part
from streaming.rooms.staying import LostError
from streaming.rooms.whip import WhipRoom
from streaming.rooms.whip_client import WhipClient
from streaming.sound_source import TrackSource
from tests.streaming.caller import BeepTrack
from tests.streaming.conftest import until
from tests.streaming.meter import MeterEngine, read_index

CREATED = {"Location": "/session/1", "ETag": '"xyzzy"'}
SDP = "application/sdp"


class Endpoint:
    """Answers each POST with the next of `answers`, the last one for ever, and notes requests."""

    def __init__(self, *answers: tuple[int, dict[str, str], str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.asked.append((request.method, request.path, dict(request.headers)))
        if request.method != "POST":
            return web.Response()
        status, headers, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kind = SDP if status == 201 else "text/plain"
        return web.Response(status=status, headers=headers, text=text, content_type=kind)


@asynccontextmanager
async def client_of(endpoint: Endpoint, token: str | None = None):
    async with TestServer(endpoint.app) as server:
        client = WhipClient(str(server.make_url("/whip/me?x=1")), token)
        try:
            yield client
        finally:
            await client.aclose()


async def test_an_offer_is_posted_and_its_session_deleted_with_the_token():
    endpoint = Endpoint((201, CREATED, "answer"))
    async with client_of(endpoint, "s3cret") as client:
        resource = await client.create("offer")
        await client.delete(resource)
    (post, posted_to, sent), (delete, deleted, sent_last) = endpoint.asked
    assert (post, posted_to, sent["Content-Type"]) == ("POST", "/whip/me", SDP)
    assert (delete, deleted) == ("DELETE", "/session/1")
    assert sent["Authorization"] == sent_last["Authorization"] == "Bearer s3cret"
    assert (resource.answer, resource.etag, resource.url.path) == (
        "answer",
        '"xyzzy"',
        "/session/1",
    )


async def test_the_location_counts_from_where_the_offer_was_redirected_to():
    endpoint = Endpoint(
        (307, {"Location": "/eu/whip"}, ""),
        (308, {"Location": "b"}, ""),
        (201, {"Location": "1"}, ""),
    )
    async with client_of(endpoint) as client:
        resource = await client.create("offer")
    assert [path for _, path, _ in endpoint.asked] == ["/whip/me", "/eu/whip", "/eu/b"]
    assert {method for method, _, _ in endpoint.asked} == {"POST"}
    assert resource.url.path == "/eu/1"


FOR_GOOD = [
    (401, {}, "who?", r"401 \(who\?\); is the token right"),
    (403, {}, '{"error": "not you"}', r"403 \(not you\)"),
    (400, {}, '{"detail": "bad SDP"}', r"400 \(bad SDP\)"),
    (406, {}, "<html>no</html>", r"406 \(Not Acceptable\)"),
    (201, {}, "v=0", "no WHIP endpoint"),
    (200, CREATED, "v=0", "refused with 200"),
    (307, {}, "", "redirect without Location"),
    (307, {"Location": "/whip/me"}, "", "more than 5 redirects"),
    (307, {"Location": "ftp://127.0.0.1/x"}, "", "is not followed"),
]


@pytest.mark.parametrize(("status", "headers", "text", "reason"), FOR_GOOD)
async def test_what_no_other_try_will_change_ends_the_stay(status, headers, text, reason):
    async with client_of(Endpoint((status, headers, text))) as client:
        with pytest.raises(RoomError, match=reason) as refusal:
            await client.create("offer")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("status", "after", "wait_s"), [(503, "7", 7), (404, "", 0), (502, "x", 0)]
)
async def test_what_may_pass_is_tried_again_when_the_endpoint_asks(status, after, wait_s):
    async with client_of(Endpoint((status, {"Retry-After": after}, "soon"))) as client:
        with pytest.raises(LostError, match=f"{status}.*soon") as refusal:
            await client.create("offer")
    assert refusal.value.retry_s == wait_s


async def test_servers_of_the_endpoint_are_read():
    turn = (
        '<turn:turn.example:3478?transport=udp>; rel="ice-server"; username="u"; credential="c d"'
    )
    headers = {**CREATED, "Link": f'<stun:stun.example>; rel="ice-server", {turn}'}
    async with client_of(Endpoint((201, headers, ""))) as client:
        resource = await client.create("offer")
    expected = [
        ice_server("stun:stun.example"),
        ice_server("turn:u:c%20d@turn.example:3478?transport=udp"),
    ]
    assert resource.ice_servers == expected


async def test_an_answer_that_cannot_be_used_ends_the_stay_and_the_session():
    endpoint = Endpoint((201, CREATED, "garbage"))
    async with TestServer(endpoint.app) as server:
        room = WhipRoom(str(server.make_url("/whip")), None, IceSettings())
        with pytest.raises(RoomError, match="answer cannot be used"):
            await room.watch()
        await room.aclose()
    assert [(method, path) for method, path, _ in endpoint.asked][-1] == ("DELETE", "/session/1")


class Receiver:
    """An endpoint that plays what is published; it can hang up, and is back at once."""

    def __init__(self) -> None:
        self.indices: list[int | None] = []
        self.packets = 0
        self.deleted: list[str] = []
        self.connections: list[RTCPeerConnection] = []
        self._readers: list[asyncio.Task[None]] = []
        self.app = web.Application()
        self.app.router.add_post("/whip", self._take)
        self.app.router.add_delete("/whip/{n}", self._end)
        self.app.on_shutdown.append(self._stop)

    async def _take(self, request: web.Request) -> web.Response:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connections.append(connection)
        connection.on(
            "track", lambda track: self._readers.append(asyncio.create_task(self._read(track)))
        )
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        headers = {"Location": f"/whip/{len(self.connections)}"}
        text = connection.localDescription.sdp
        return web.Response(status=201, text=text, content_type=SDP, headers=headers)

    async def _end(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["n"])
        return web.Response()

    async def _read(self, track) -> None:
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.indices.append(read_index(frame.to_ndarray()[: frame.height, : frame.width]))
            else:
                self.packets += 1

    async def _stop(self, app: web.Application) -> None:
        await asyncio.gather(*(connection.close() for connection in self.connections))
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


async def test_picture_and_sound_are_published_through_a_hang_up_until_we_leave(monkeypatch):
    monkeypatch.setattr(staying, "SHORTEST_S", 0.1)
    gather_on("127.0.0.1")
    receiver = Receiver()
    async with TestServer(receiver.app) as server:
        room = WhipRoom(str(server.make_url("/whip")), None, IceSettings())
        stay = asyncio.create_task(take_part(MeterEngine(256), room, TrackSource(BeepTrack())))
        await until(lambda: len(receiver.indices) > 25 and receiver.packets > 50)
        await receiver.connections[0].close()
        await until(lambda: len(receiver.connections) == 2)
        before = len(receiver.indices)
        await until(lambda: len(receiver.indices) > before + 25)
        room.left.set()
        stats = await stay
    shown = [index for index in receiver.indices if index is not None]
    assert len(shown) > 50 and shown == sorted(set(shown))
    assert stats["step"] > shown[-1]
    assert receiver.deleted == ["1", "2"]
    assert not room.outlets
