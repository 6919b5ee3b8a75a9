"""Somebody else of a LiveKit room, whose microphone the face speaks with."""

from __future__ import annotations

import asyncio
import logging

import numpy as np
from livekit import rtc

from streaming.opus import PACKET_SAMPLES, RATE
from streaming.receive_buffer import Piece

FRAME_MS = 20
MOST_FRAMES = 10
"""Frames that may wait, 200 ms; the SDK leaves out the oldest."""
GAP_S = 0.1
"""Nothing for so long is silence, given as it passes."""
GAP_PIECES = round(GAP_S * RATE / PACKET_SAMPLES)

log = logging.getLogger(__name__)


class ParticipantSource:
    """The sound of one participant, silence while there is none."""

    late_packets = 0

    def __init__(self, identity: str) -> None:
        """A participant who has not come yet.

        Args:
            identity: as the room knows them.
        """
        self._identity = identity
        self._room: rtc.Room | None = None
        self._stream: rtc.AudioStream | None = None
        self._changed = asyncio.Event()

    async def attach(self, room: rtc.Room) -> None:
        """Listen in a room that has just been joined."""
        self._room = room
        room.on("track_published", self._on_published)
        room.on("track_subscribed", self._on_track)
        participant = room.remote_participants.get(self._identity)
        if participant is not None:
            for publication in participant.track_publications.values():
                self._on_published(publication, participant)

    async def detach(self) -> None:
        """The room is gone."""
        self._room = None
        await self._drop_stream()

    async def aclose(self) -> None:
        """Listen no more."""
        await self.detach()

    async def read(self) -> list[Piece]:
        """The next 20 ms, or 100 ms of silence when nothing has come for so long."""
        try:
            async with asyncio.timeout(GAP_S):
                return [await self._next()]
        except TimeoutError:
            return [Piece(None, PACKET_SAMPLES)] * GAP_PIECES

    async def _next(self) -> Piece:
        while True:
            stream = self._stream
            if stream is None:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                event = await anext(stream)
            except StopAsyncIteration:
                await self._drop_stream()
                continue
            samples = np.frombuffer(event.frame.data, np.int16).copy()
            return Piece(samples, samples.size)

    def _on_published(
        self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.identity == self._identity and publication.kind == rtc.TrackKind.KIND_AUDIO:
            publication.set_subscribed(True)

    def _on_track(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if participant.identity == self._identity and track.kind == rtc.TrackKind.KIND_AUDIO:
            log.info("hearing %s of %s", publication.name, self._identity)
            self._stream = rtc.AudioStream(
                track, capacity=MOST_FRAMES, sample_rate=RATE, frame_size_ms=FRAME_MS
            )
            self._changed.set()

    async def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()
