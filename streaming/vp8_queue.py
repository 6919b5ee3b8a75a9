"""VP8 packets of one sender -> whole encoded pictures that wait for a decoder, at most a few.

Encoded pictures build on one another: when too many wait, all are dropped and counted, and so is
what follows until a picture comes that stands alone, for which the sender is asked.
"""

from __future__ import annotations

from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

MOST_WAITING = 30
"""Pictures, 2.5 s at the rate that our page sends."""
MOST_PACKETS = 128
"""Of pictures that are not whole yet."""
MOST_SIDE = 1280
"""Of a picture that may be decoded, px."""
CLOCK = 90000
"""Of RTP timestamps, Hz."""
ASK_AGAIN = CLOCK // 2
"""Between two requests for a picture that stands alone, RTP time."""
STUCK = CLOCK
"""After so long behind a missing packet it is waited for no longer, RTP time."""


class Vp8Queue:
    """The encoded pictures of one camera. Time is the sender's, in timestamps."""

    def __init__(self) -> None:
        """Nothing can be decoded before a picture that stands alone."""
        self._packets = JitterBuffer(capacity=MOST_PACKETS, is_video=True)
        self._waiting: list[bytes] = []
        self._needs_key, self._is_too_large = True, False
        self._asked_at: int | None = None
        self._whole_at: int | None = None
        self.dropped = 0

    def add(self, packet: RtpPacket) -> bool:
        """Take one packet; whether the sender should be asked for a picture that stands alone."""
        if self._whole_at is None:
            self._whole_at = packet.timestamp
        if _since(self._whole_at, packet.timestamp) > STUCK:
            self._packets = JitterBuffer(capacity=MOST_PACKETS, is_video=True)
            self._whole_at, self._needs_key = packet.timestamp, True
        has_lost, whole = self._packets.add(packet)
        self._needs_key = self._needs_key or has_lost
        if whole is not None:
            self._whole_at = packet.timestamp
            self._hold(whole.data)
        return self._asks_for_key(packet.timestamp)

    def take(self) -> list[bytes]:
        """The pictures that wait, oldest first; they wait no longer."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def interrupt(self) -> None:
        """Go on with a picture that stands alone: one before could not be decoded."""
        self._needs_key = True

    def _hold(self, picture: bytes) -> None:
        if is_key_picture(picture):
            self._drop_waiting()
            self._needs_key = self._is_too_large = max(sides_of_key(picture)) > MOST_SIDE
        if len(self._waiting) >= MOST_WAITING:
            self._drop_waiting()
            self._needs_key = True
        if self._needs_key:
            self.dropped += 1
        else:
            self._waiting.append(picture)

    def _drop_waiting(self) -> None:
        self.dropped += len(self._waiting)
        self._waiting.clear()

    def _asks_for_key(self, timestamp: int) -> bool:
        if not self._needs_key or self._is_too_large:  # another size comes with a key by itself
            self._asked_at = None
            return False
        if self._asked_at is not None and _since(self._asked_at, timestamp) < ASK_AGAIN:
            return False
        self._asked_at = timestamp
        return True


def is_key_picture(picture: bytes) -> bool:
    """Whether a VP8 picture stands alone (RFC 6386, section 9.1)."""
    return len(picture) >= 10 and not picture[0] & 1


def sides_of_key(picture: bytes) -> tuple[int, int]:
    """Width and height of a VP8 picture that stands alone, px."""
    width, height = (int.from_bytes(picture[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height


def _since(before: int, timestamp: int) -> int:
    """RTP time from `before`, 0 for a packet that was overtaken."""
    distance = (timestamp - before) % (1 << 32)
    return distance if distance < 1 << 31 else 0
