"""VP8 packets of one sender -> whole encoded pictures that wait for a decoder, at most a few.

Encoded pictures build on one another: when too many wait, all are dropped and counted, and so is
what follows until a picture comes that stands alone, for which the sender is asked.
"""

from __future__ import annotations

from aiortc.rtp import RtpPacket

MOST_WAITING = 30
"""Pictures, 2.5 s at the rate that our page sends."""
MOST_PACKETS = 128
"""Of pictures that are not whole yet; further away than that, sequence numbers have jumped."""
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
        self._packets: dict[int, RtpPacket] = {}  # by sequence number
        self._next = 0  # sequence number of the next picture's first packet
        self._waiting: list[bytes] = []
        self._needs_key, self._is_too_large = True, False
        self._asked_at: int | None = None
        self._whole_at: int | None = None
        self.dropped = 0

    def add(self, packet: RtpPacket) -> bool:
        """Take one packet; whether the sender should be asked for a picture that stands alone."""
        if self._is_lost(packet):
            self._packets.clear()
            self._next, self._whole_at = packet.sequence_number, packet.timestamp
            self._needs_key = True
        if _distance(self._next, packet.sequence_number, 16) >= 0:
            self._packets[packet.sequence_number] = packet
        while (picture := self._next_picture()) is not None:
            self._whole_at = packet.timestamp
            self._hold(picture)
        return self._asks_for_key(packet.timestamp)

    def take(self) -> list[bytes]:
        """The pictures that wait, oldest first; they wait no longer."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def interrupt(self) -> None:
        """Go on with a picture that stands alone: one before could not be decoded."""
        self._needs_key = True

    def _is_lost(self, packet: RtpPacket) -> bool:
        """Whether this packet is the first one, or what was waited for will not come any more."""
        if self._whole_at is None:
            return True
        away = abs(_distance(self._next, packet.sequence_number, 16))
        return away >= MOST_PACKETS or _distance(self._whole_at, packet.timestamp, 32) > STUCK

    def _next_picture(self) -> bytes | None:
        """The next picture in order, up to the packet with the marker (RFC 7741, section 4.1)."""
        parts, number = [], self._next
        while (packet := self._packets.get(number)) is not None:
            parts.append(packet._data)  # type: ignore[attr-defined]
            number = (number + 1) % (1 << 16)
            if packet.marker:
                self._forget(number)
                return b"".join(parts)
        return None

    def _forget(self, number: int) -> None:
        """Go on with the packet of this sequence number."""
        while self._next != number:
            del self._packets[self._next]
            self._next = (self._next + 1) % (1 << 16)

    def _hold(self, picture: bytes) -> None:
        if not picture:
            return
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
        asked_at = self._asked_at
        if asked_at is not None and 0 <= _distance(asked_at, timestamp, 32) < ASK_AGAIN:
            return False
        self._asked_at = timestamp
        return True


def is_key_picture(picture: bytes) -> bool:
    """Whether a VP8 picture stands alone (RFC 6386, section 9.1)."""
    return len(picture) >= 10 and not picture[0] & 1 and picture[3:6] == b"\x9d\x01\x2a"


def sides_of_key(picture: bytes) -> tuple[int, int]:
    """Width and height of a VP8 picture that stands alone, px."""
    width, height = (int.from_bytes(picture[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height


def _distance(before: int, after: int, bits: int) -> int:
    """From one number to another that wrap at so many bits; negative for one that was overtaken."""
    half = 1 << (bits - 1)
    return (after - before + half) % (2 * half) - half
