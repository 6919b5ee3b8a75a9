"""One participant of a VideoRoom whose sound the face speaks, whenever that one is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from streaming.ice import IceSettings
from streaming.peer import NoWayError
from streaming.rooms.first_of import first_of
from streaming.rooms.janus_media import JanusMedia
from streaming.rooms.janus_session import GOODBYE_S, JanusError, JanusSession, Message
from streaming.rooms.staying import LostError
from streaming.sound_source import PacketSource

VIDEOROOM = "janus.plugin.videoroom"
RETRY_S = 1.0
"""A publisher who is listed may not be sending yet: Janus then refuses, and is asked again."""

log = logging.getLogger(__name__)


class JanusListener:
    """Follows one participant through one connection to the room."""

    def __init__(
        self, wanted: str, joining: Message, ice: IceSettings, source: PacketSource
    ) -> None:
        """Nobody has been seen.

        Args:
            wanted: id or display name.
            joining: what every request to join carries: room and pin.
            ice: how Janus is reached.
            source: takes the packets.
        """
        self._wanted, self._joining, self._ice, self._source = wanted, joining, ice, source
        self._publisher: Message | None = None
        self._changed = asyncio.Event()

    def see(self, publishers: list[Message]) -> None:
        """Take news of participants who send something."""
        for publisher in publishers:
            if self._wanted in (str(publisher["id"]), publisher.get("display")):
                self._publisher = publisher
                self._changed.set()

    def miss(self, participant: Any) -> None:
        """Take news of one who has stopped sending."""
        if self._publisher is not None and self._publisher["id"] == participant:
            self._publisher = None
            self._changed.set()

    async def run(self, session: JanusSession) -> None:
        """Listen whenever there is somebody to listen to, for ever.

        Raises:
            LostError: the session is gone.
        """
        while True:
            if self._publisher is None:
                log.info("Waiting for the sound of %s", self._wanted)
            await self._changed.wait()
            self._changed.clear()
            mid = _sound_of(self._publisher)
            if self._publisher is not None and mid is not None:
                await self._subscribe(session, self._publisher["id"], mid)

    async def _subscribe(self, session: JanusSession, feed: Any, mid: str) -> None:
        """Receive one publisher's sound until it changes."""
        media = JanusMedia(self._ice, None)
        handle = await session.attach(VIDEOROOM, media.hear)
        try:
            await self._start(session, handle, media, {"feed": feed, "mid": mid})
            log.info("Speaking the sound of %s", self._wanted)
            await first_of(self._changed.wait(), media.watch())
        except (JanusError, LostError, NoWayError, ValueError) as error:
            log.debug("cannot listen: %s", error)
            await asyncio.sleep(RETRY_S)
            self._changed.set()
        finally:
            await media.peer.aclose()
            with contextlib.suppress(JanusError, LostError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await session.detach(handle)

    async def _start(
        self, session: JanusSession, handle: int, media: JanusMedia, stream: Message
    ) -> None:
        join = {"request": "join", "ptype": "subscriber", **self._joining, "streams": [stream]}
        offered = await session.message(handle, join)
        if "jsep" not in offered:
            raise ValueError("Janus offers nothing")
        answer = await media.peer.answer(offered["jsep"]["sdp"], self._source.hear)
        jsep = {"type": "answer", "sdp": answer, "trickle": False}
        await session.message(handle, {"request": "start"}, jsep)
        await media.connect()


def _sound_of(publisher: Message | None) -> str | None:
    """The mid of a publisher's first sound, if there is any."""
    streams = [] if publisher is None else publisher.get("streams", [])
    mids = (s["mid"] for s in streams if s.get("type") == "audio" and not s.get("disabled"))
    return next(mids, None)
