"""A stand-in for the LiveKit server, for tests: its signalling, tracks, data streams and RPC.

What the real SDKs need of a room, on loopback, without authentication, simulcast or reconnects.
`python -m tests.livekit_sfu.server` prints its address and serves until it is interrupted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web
from livekit.protocol import models, rtc

from streaming.ice import gather_on
from tests.livekit_sfu.room import Participant, Room

CORS = {"Access-Control-Allow-Origin": "*"}


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a JWT; its signature is not checked."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class StandInServer:
    """Rooms behind one WebSocket address. `drops` decides which data packets get lost."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.url = ""

    def drops(self, packet: models.DataPacket) -> bool:
        return False

    def participant(self, identity: str) -> Participant | None:
        everybody = [p for room in self.rooms.values() for p in room.participants.values()]
        return next((p for p in everybody if p.info.identity == identity), None)

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/rtc", self._join)
        application.router.add_get("/rtc/validate", self._validate)
        # newer clients try another path first and need to read the 404 across origins
        application.router.add_route("*", "/{path:.*}", self._missing)
        return application

    async def _validate(self, request: web.Request) -> web.Response:
        return web.Response(text="success", headers=CORS)

    async def _missing(self, request: web.Request) -> web.Response:
        return web.Response(status=404, headers=CORS)

    async def _join(self, request: web.Request) -> web.WebSocketResponse:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        claims = claims_of(request.query.get("access_token") or bearer)
        name = claims["video"]["room"]
        room = self.rooms.setdefault(name, Room(name, lambda packet: self.drops(packet)))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        auto_subscribe = request.query.get("auto_subscribe", "1") not in ("0", "false")
        participant = Participant(room, claims, socket, auto_subscribe)
        room.participants[participant.info.sid] = participant
        try:
            await participant.join()
            await _talk(participant, socket)
        finally:
            del room.participants[participant.info.sid]
            await participant.leave()
        return socket


async def _talk(participant: Participant, socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type == WSMsgType.BINARY and not await participant.on_request(
            rtc.SignalRequest.FromString(message.data)
        ):
            return


@asynccontextmanager
async def stand_in_server(port: int = 0) -> AsyncIterator[StandInServer]:
    """A server on loopback, on a free port or the given one, in this event loop."""
    gather_on("127.0.0.1")
    server = StandInServer()
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def _main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with stand_in_server() as server:
        print(server.url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main())
