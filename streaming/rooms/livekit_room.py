"""The face as a participant of a LiveKit room, by the official SDK.

The SDK mends broken connections itself; when it has given up, the room is joined again. Read next:
`streaming/rooms/livekit_publication.py`, the way out, and the two sources of sound that a room may
bring, `livekit_participant.py` and `livekit_agent.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Protocol

from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from streaming.ice import IceSettings
from streaming.playout import Publication
from streaming.rooms.livekit_publication import Hearing, LiveKitPublication
from streaming.rooms.participant import RoomError
from streaming.rooms.staying import LostError, stay

GOODBYE_S = 3.0

ENDS = {
    rtc.DisconnectReason.PARTICIPANT_REMOVED,
    rtc.DisconnectReason.ROOM_DELETED,
    rtc.DisconnectReason.ROOM_CLOSED,
}
"""Reasons after which nobody wants us back."""

Gone = asyncio.Future[rtc.DisconnectReason.ValueType]
"""Done, with the reason, when a connection is over."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LiveKitOptions:
    """Where to go and what to send."""

    url: str
    """ws:// or wss:// address of the server."""
    token: str
    """Access token, with the room and our identity in it."""
    size: int
    """Side of the picture, px."""
    bitrate: int
    """The most for the picture, bits a second."""
    ice: IceSettings = field(default_factory=IceSettings)
    """Servers instead of those that the room's server names."""

    def of_room(self) -> rtc.RoomOptions:
        """What the SDK is told. We subscribe to what we want ourselves."""
        kinds = rtc.IceTransportType
        kind = kinds.TRANSPORT_RELAY if self.ice.relay_only else kinds.TRANSPORT_ALL
        servers = [
            rtc.IceServer(
                urls=[str(server.urls)],
                username=server.username or "",
                password=server.credential or "",
            )
            for server in self.ice.servers
        ]
        config = rtc.RtcConfiguration(ice_transport_type=kind, ice_servers=servers)
        return rtc.RoomOptions(auto_subscribe=False, rtc_config=config)


class Ears(Protocol):
    """A source of sound that the room itself brings."""

    async def attach(self, room: rtc.Room) -> None:
        """Listen in a room that has just been joined."""
        ...

    async def detach(self) -> None:
        """Stop listening: the connection is gone."""
        ...


class LiveKitRoom:
    """One room of one server; see `streaming.rooms.participant.Room`."""

    def __init__(
        self, options: LiveKitOptions, ears: Ears | None = None, heard: Hearing | None = None
    ) -> None:
        """A room that has not been joined; make it on the event loop.

        Args:
            options: where to go and what to send.
            ears: told of every connection; None when the sound comes from elsewhere.
            heard: see `LiveKitPublication`.
        """
        self.connected, self.left = asyncio.Event(), asyncio.Event()
        self.outlets: list[Publication] = []
        self._options, self._ears, self._heard = options, ears, heard

    async def watch(self) -> None:
        """Join and stay until `left` is set or the room has ended for us.

        Raises:
            RoomError: the server or the token is no good, or our identity is taken over.
        """
        await stay(self, self._connect)

    async def aclose(self) -> None:
        """Leave; a connection says good-bye when `watch` ends."""
        self.left.set()

    async def _connect(self) -> None:
        """One connection, from join to loss."""
        room = rtc.Room()
        gone: Gone = asyncio.get_running_loop().create_future()

        def end(reason: rtc.DisconnectReason.ValueType) -> None:
            if not gone.done():
                gone.set_result(reason)

        room.on("disconnected", end)
        try:
            await room.connect(self._options.url, self._options.token, self._options.of_room())
            reason = await self._take_part(room, gone)
        except rtc.ConnectError as error:
            raise LostError(f"cannot join {self._options.url}: {error.message}") from None
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(room.disconnect(), GOODBYE_S)
        self._check_end(reason)

    async def _take_part(self, room: rtc.Room, gone: Gone) -> rtc.DisconnectReason.ValueType:
        """Publish and listen until the connection is gone; why it is."""
        publication = LiveKitPublication(
            room, self._options.size, self._options.bitrate, self._heard
        )
        try:
            await publication.publish()
            if self._ears is not None:
                await self._ears.attach(room)
            self.outlets.append(publication)
            log.info("In the room %s as %s", room.name, room.local_participant.identity)
            self.connected.set()
            return await gone
        except PublishTrackError as error:
            raise RoomError(f"the room takes no tracks from us: {error.message}") from None
        finally:
            if publication in self.outlets:
                self.outlets.remove(publication)
            if self._ears is not None:
                await self._ears.detach()
            await publication.aclose()

    def _check_end(self, reason: rtc.DisconnectReason.ValueType) -> None:
        """Leave for good, or try again.

        Raises:
            LostError: another try may help.
            RoomError: none will.
        """
        if reason == rtc.DisconnectReason.DUPLICATE_IDENTITY:
            raise RoomError("somebody else has joined with our identity")
        name = rtc.DisconnectReason.Name(reason).lower().replace("_", " ")
        if reason not in ENDS:
            raise LostError(f"lost the room: {name}")
        log.info("The room has ended for us: %s", name)
        self.left.set()
