"""A room of Janus' VideoRoom plugin: the face joins, publishes, and may speak one other's sound.

See https://janus.conf.meetecho.com/docs/videoroom.html (Janus 1.x, streams with mids). Read next:
`streaming/rooms/janus_session.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from streaming.ice import IceSettings
from streaming.playout import Outlet, Publication
from streaming.rooms.first_of import first_of
from streaming.rooms.janus_listener import VIDEOROOM, JanusListener
from streaming.rooms.janus_media import JanusMedia
from streaming.rooms.janus_session import (
    GOODBYE_S,
    JanusError,
    JanusSession,
    Message,
    data_of,
)
from streaming.rooms.participant import RoomError, offer_of
from streaming.rooms.staying import LostError, stay
from streaming.sound_source import PacketSource

NO_SUCH_ROOM, ROOM_FULL = 426, 432
PASSING = (NO_SUCH_ROOM, ROOM_FULL)
"""Refusals that may pass: rooms made by programs come back later than a restarted server."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JanusOptions:
    """Which room, and how to appear in it.

    room: number or name. pin: of the room. display: our name in it. bitrate: most of our picture,
    bits a second. api_secret: of the server. listen: id or display name of the participant whose
    sound the face speaks.
    """

    url: str
    room: int | str
    pin: str | None = None
    display: str = "Avatar"
    bitrate: int = 3_000_000
    api_secret: str | None = None
    listen: str | None = None


class JanusRoom:
    """A `Room` of a Janus server."""

    def __init__(self, options: JanusOptions, ice: IceSettings) -> None:
        """Not joined yet; `source` is the sound of `options.listen`."""
        self.connected, self.left = asyncio.Event(), asyncio.Event()
        self.outlets: list[Publication] = []
        self.source = PacketSource()
        self._options, self._ice = options, ice
        pin = {} if options.pin is None else {"pin": options.pin}
        self._joining: Message = {"room": options.room, **pin}

    async def watch(self) -> None:
        """Take part until `left` is set, through restarts of the server.

        Raises:
            RoomError: the room cannot be joined, has been destroyed, or we were sent away.
        """
        await stay(self, self._connect)

    async def aclose(self) -> None:
        """Mark the end; `watch` has said good-bye."""
        self.left.set()

    async def _connect(self) -> None:
        """One connection from joining to its loss; ends by an exception."""
        outlet = Outlet()
        media = JanusMedia(self._ice, outlet)
        try:
            async with JanusSession(self._options.url, self._options.api_secret) as session:
                await self._visit(session, media, outlet)
        finally:
            await media.peer.aclose()

    async def _visit(self, session: JanusSession, media: JanusMedia, outlet: Outlet) -> None:
        """Join, publish, stay, leave."""
        listener = self._listener()
        news = _News(session, media, listener)
        handle = await session.attach(VIDEOROOM, news.hear)
        try:
            news.hear(await self._join(session, handle))
            await self._publish(session, handle, media)
            log.info("In room %s as %s", self._options.room, self._options.display)
            self.outlets.append(outlet)
            self.connected.set()
            listening = [] if listener is None else [listener.run(session)]
            await first_of(session.watch(), media.watch(), *listening)
        finally:
            if outlet in self.outlets:
                self.outlets.remove(outlet)
            await _leave(session, handle)

    def _listener(self) -> JanusListener | None:
        wanted = self._options.listen
        if wanted is None:
            return None
        return JanusListener(wanted, self._joining, self._ice, self.source)

    async def _join(self, session: JanusSession, handle: int) -> Message:
        """Enter the room; the event says who is there."""
        join = {"request": "join", "ptype": "publisher", "display": self._options.display}
        try:
            return await session.message(handle, {**join, **self._joining})
        except JanusError as error:
            if error.code in PASSING:
                raise LostError(str(error)) from None
            raise

    async def _publish(self, session: JanusSession, handle: int, media: JanusMedia) -> None:
        """Send sound and picture, and wait until they flow."""
        offer = {"type": "offer", "sdp": await offer_of(media.peer), "trickle": False}
        codecs = {"audiocodec": "opus", "videocodec": "vp8"}
        body = {"request": "publish", **codecs, "bitrate": self._options.bitrate}
        event = await session.message(handle, body, offer)
        try:
            await media.peer.accept(event.get("jsep", {}).get("sdp", ""))
        except ValueError as error:
            raise RoomError(f"Janus: {error}") from None
        await media.connect()


class _News:
    """Events of our handle in the room."""

    def __init__(
        self, session: JanusSession, media: JanusMedia, listener: JanusListener | None
    ) -> None:
        self._session, self._media, self._listener = session, media, listener

    def hear(self, message: Message) -> None:
        """Take one event."""
        self._media.hear(message)
        data = data_of(message)
        if data.get("videoroom") == "destroyed":
            self._session.lose(RoomError("Janus: the room has been destroyed"))
        elif data.get("leaving") == "ok" and data.get("reason") == "kicked":
            self._session.lose(RoomError("Janus: we were sent out of the room"))
        elif self._listener is not None:
            self._listener.see(data.get("publishers", []))
            for ending in ("unpublished", "leaving", "kicked"):
                self._listener.miss(data.get(ending))


async def _leave(session: JanusSession, handle: int) -> None:
    """Say good-bye, if anybody is there to hear it."""
    if not session.lost.done():
        with contextlib.suppress(LostError, JanusError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await session.message(handle, {"request": "leave"})
