"""Receive buffers that hand a frame on as soon as it is whole, as browsers do.

aiortc's own hold a picture until the first packet of the next one came (40 ms at 25 pictures a
second) and sound until four packets are there (80 ms). A client that measures delays needs neither:
a packet's marker bit says that its picture is whole, and an Opus packet is whole by itself.
"""

from __future__ import annotations

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_gt

PICTURE_PACKETS = 512


class MarkedPictures(JitterBuffer):
    """Pictures in order, each released with its last packet."""

    def __init__(self) -> None:
        """Hold at most 512 packets, the bound that aiortc has."""
        super().__init__(capacity=PICTURE_PACKETS, is_video=True)

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        """The oldest picture if all of its packets are there."""
        data: list[bytes] = []
        first = self._origin or 0
        for count in range(self._capacity):
            packet = self._packets[(first + count) % self._capacity]
            if packet is None:
                return None
            data.append(_payload_of(packet))
            if packet.marker:
                self.remove(count + 1)
                return JitterFrame(data=b"".join(data), timestamp=packet.timestamp)
        return None


class PromptSound:
    """Opus packets at once; one that is overtaken is dropped, and its pts tells the gap."""

    def __init__(self) -> None:
        """Start before the first packet."""
        self._last: int | None = None
        self.overtaken = 0

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; return False (no key frame is wanted) and its frame, if it is not late."""
        if self._last is not None and not uint16_gt(packet.sequence_number, self._last):
            self.overtaken += 1
            return False, None
        self._last = packet.sequence_number
        return False, JitterFrame(data=_payload_of(packet), timestamp=packet.timestamp)


def release_promptly(receiver: RTCRtpReceiver, kind: str) -> None:
    """Give an aiortc receiver of `kind` "audio" or "video" these buffers, before it starts.

    aiortc offers no option for this; the attribute is private to its class, hence the full name.
    """
    buffer = MarkedPictures() if kind == "video" else PromptSound()
    setattr(receiver, "_RTCRtpReceiver__jitter_buffer", buffer)  # noqa: B010 mypy knows no such name


def _payload_of(packet: RtpPacket) -> bytes:
    """The codec's data in a packet, which the receiver has put there before the buffer gets it."""
    payload: bytes = getattr(packet, "_data")  # noqa: B009 mypy knows no such name
    return payload
