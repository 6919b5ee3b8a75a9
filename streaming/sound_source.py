"""Where a session's sound comes from: packets off the network, or a track of this machine.

A source says nothing while there is nothing new, and fills up what stays away; so a session can
rely on time going on. Read next: `streaming/session.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from streaming.opus import RATE
from streaming.receive_buffer import PIECE_SAMPLES, Piece, ReceiveBuffer

STALL_S = 0.01
"""Waking late may mean that the loop stalled: what has come meanwhile is read first."""
QUIET_S = 0.1
"""A track that gives nothing for so long is silent: a step of the face waits no longer."""
MOST_WAITING = 100
"""Frames of a track that may wait, 2 s; beyond it the oldest is dropped and counted."""


class SoundSource(Protocol):
    """Sound for one session, in pieces of a gapless row."""

    @property
    def late_packets(self) -> int:
        """Packets or frames that came too late to be heard, or of which too many waited."""
        ...

    async def read(self) -> list[Piece] | None:
        """The next pieces, in order, as soon as there are any; None when the sound is over."""
        ...

    async def aclose(self) -> None:
        """Let go of whatever the sound comes from."""
        ...


class PacketSource:
    """Opus packets of a peer, which may be silent, change, or not be there yet."""

    def __init__(self) -> None:
        """Nothing has come; packets are taken from the first `read` on."""
        self._buffer: ReceiveBuffer | None = None
        self._arrived = asyncio.Event()

    @property
    def late_packets(self) -> int:
        """Packets whose place had been given up, and those that too many others waited behind."""
        return self._buffer.late_packets if self._buffer else 0

    def hear(self, ssrc: int, timestamp: int, payload: bytes) -> None:
        """Take one packet, see `ReceiveBuffer.add`."""
        if self._buffer is not None:
            self._buffer.add(ssrc, timestamp, payload, asyncio.get_running_loop().time())
            self._arrived.set()

    async def read(self) -> list[Piece]:
        """What may be heard after a packet has come or one is overdue."""
        loop = asyncio.get_running_loop()
        if self._buffer is None:
            self._buffer = ReceiveBuffer(loop.time())
        pieces: list[Piece] = []
        while not pieces:
            await self._wait(self._buffer)
            pieces = self._buffer.pop(loop.time())
        return pieces

    async def aclose(self) -> None:
        """Nothing to let go of: the packets are the peer's."""

    async def _wait(self, buffer: ReceiveBuffer) -> None:
        """Until a packet has come or one is overdue."""
        loop = asyncio.get_running_loop()
        due_s = buffer.due_s()
        try:
            await asyncio.wait_for(self._arrived.wait(), max(0.0, due_s - loop.time()))
        except TimeoutError:
            if loop.time() - due_s > STALL_S:
                await asyncio.sleep(STALL_S)
        self._arrived.clear()


class TrackSource:
    """Sound of a local track in real time: a sound card, a file."""

    def __init__(self, track: MediaStreamTrack, n_samples: int | None = None) -> None:
        """A track that has not been read.

        Args:
            track: gives frames of int16 mono at 48 kHz when they have been heard.
            n_samples: the length of the sound, 48 kHz; None for a track that goes on for ever.
        """
        self._track, self._left = track, n_samples
        self._waiting: deque[np.ndarray] = deque()
        self._filled = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.late_packets = 0

    async def read(self) -> list[Piece] | None:
        """The frames that have come, or `QUIET_S` of nothing when none did.

        Raises:
            Exception: what went wrong in the track.
        """
        if self._left is not None and self._left <= 0:
            return None
        if self._reader is None:
            self._reader = asyncio.create_task(self._listen(), name="sound source")
        if not self._waiting:
            if self._reader.done():
                self._reader.result()
                return None
            await self._wait()
        pieces = [Piece(samples, samples.size) for samples in self._waiting]
        self._waiting.clear()
        pieces = pieces or [Piece(None, PIECE_SAMPLES)] * round(QUIET_S * RATE / PIECE_SAMPLES)
        if self._left is not None:
            self._left -= sum(piece.n_samples for piece in pieces)
        return pieces

    async def aclose(self) -> None:
        """Stop the track."""
        self._track.stop()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _listen(self) -> None:
        """Take every frame as it comes, so that a busy session makes no track wait."""
        while True:
            try:
                frame = await self._track.recv()
            except MediaStreamError:
                break
            assert isinstance(frame, AudioFrame)
            if len(self._waiting) == MOST_WAITING:
                self._waiting.popleft()
                self.late_packets += 1
            self._waiting.append(frame.to_ndarray()[0])
            self._filled.set()
        self._filled.set()

    async def _wait(self) -> None:
        """Until a frame has come, the track has ended, or it is taken for silent."""
        self._filled.clear()
        try:
            await asyncio.wait_for(self._filled.wait(), QUIET_S)
        except TimeoutError:
            await asyncio.sleep(STALL_S)
