"""One published track on its way through the stand-in SFU, still encoded.

publisher's packets   ... | p p P |     P has the marker: the last of its picture
Forwarded             one Opus packet, or the whole of one VP8 picture, with its RTP time
each subscriber       an aiortc sender that packs it again
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket
from av import Packet

CLOCKS = {"audio": Fraction(1, 48000), "video": Fraction(1, 90000)}
MOST_WAITING = 16
"""Packets or pictures that may wait for one subscriber; the oldest goes, and is counted."""


class Forwarded(MediaStreamTrack):
    """What one subscriber gets of a published track."""

    def __init__(self, kind: str, on_end: Callable[[Forwarded], None]) -> None:
        super().__init__()
        self.kind = kind
        self.dropped = 0
        self._waiting: deque[Packet] = deque(maxlen=MOST_WAITING)
        self._filled = asyncio.Event()
        self._on_end = on_end

    def put(self, payload: bytes, timestamp: int) -> None:
        packet = Packet(payload)
        packet.pts, packet.time_base = timestamp, CLOCKS[self.kind]
        self.dropped += len(self._waiting) == MOST_WAITING
        self._waiting.append(packet)
        self._filled.set()

    def stop(self) -> None:
        super().stop()
        self._on_end(self)
        self._filled.set()

    async def recv(self) -> Packet:
        while not self._waiting:
            if self.readyState != "live":
                raise MediaStreamError
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()


class Published:
    """The packets of one published track. Stands where the receiver's jitter buffer was."""

    def __init__(self, kind: str, receiver: RTCRtpReceiver) -> None:
        self.kind = kind
        self.packets = 0
        self._receiver = receiver
        self._out: list[Forwarded] = []
        self._picture: list[bytes] = []
        self._asked: set[asyncio.Task[None]] = set()
        self._ssrc = 0
        name = "_RTCRtpReceiver__jitter_buffer"
        assert hasattr(receiver, name), "this version of aiortc keeps its jitter buffer elsewhere"
        setattr(receiver, name, self)

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take one packet; no picture-loss request, nothing for aiortc to decode."""
        self._ssrc = packet.ssrc
        self.packets += 1
        if packet.payload:
            self._picture.append(packet._data)
        if (packet.marker or self.kind == "audio") and self._picture:
            whole, self._picture = b"".join(self._picture), []
            for forwarded in self._out:
                forwarded.put(whole, packet.timestamp)
        return False, None

    def subscribe(self) -> Forwarded:
        """A new way out, which starts with the next packet or the next key frame."""
        forwarded = Forwarded(self.kind, self._remove)
        self._out.append(forwarded)
        return forwarded

    def attach(self, sender: RTCRtpSender) -> None:
        """Let key-frame requests to `sender` go on to the publisher."""
        sender._send_keyframe = self._ask_for_key_frame

    def stop(self) -> None:
        for forwarded in list(self._out):
            forwarded.stop()

    def _remove(self, forwarded: Forwarded) -> None:
        if forwarded in self._out:
            self._out.remove(forwarded)

    def _ask_for_key_frame(self) -> None:
        job = asyncio.create_task(self._receiver._send_rtcp_pli(self._ssrc))
        self._asked.add(job)
        job.add_done_callback(self._asked.discard)
