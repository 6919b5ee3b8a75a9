"""Opus packets in any order -> a gapless row of pieces on the grid of their timestamps.

A packet that continues the row is let go at once, so an even network costs no delay. A packet that
is missing is waited for until the jitter of the last seconds says that it will not come; then its
time is left to concealment and the row goes on. Positions follow the RTP timestamps, so a gap, a
burst or a loss never moves what comes after it: delay cannot build up.

Time comes in as an argument; nothing here reads a clock. Read next: `streaming/ingest.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streaming.jitter import Jitter
from streaming.opus import RATE, opus_samples

PIECE_SAMPLES = 960
"""Longest piece of concealment, 20 ms."""
MOST_WAITING = 100
"""Packets held back behind a gap, 2 s; beyond it the oldest is dropped, and counted as late."""
PATIENCE_S = (0.03, 0.1)
MISPLACED_S = 0.4
"""After so long with nothing but misplaced packets the sender's clock has jumped."""
FAR_AHEAD_S = 0.5


class Piece(NamedTuple):
    """A stretch of sound that follows the piece before without a gap.

    payload: one Opus packet, its sound as [n_samples] int16, or None where nothing came in time.
    n_samples: its length at 48 kHz, a multiple of 3.
    """

    payload: bytes | np.ndarray | None
    n_samples: int


class ReceiveBuffer:
    """The packets of one caller's microphone between network and decoder."""

    def __init__(self, now_s: float, grace_s: float = 0.5) -> None:
        """A stream that starts at position 0, at the latest `grace_s` from now.

        Args:
            now_s: seconds on any steady clock, the one that later calls use.
            grace_s: after so long without a packet the row starts with concealment.
        """
        self._jitter = Jitter(*PATIENCE_S)
        self._jitter.restart(now_s + grace_s)
        self._head = 0  # position of the next piece, samples
        self._origin: int | None = None  # unwrapped timestamp of position 0
        self._newest = 0  # unwrapped timestamp of the last packet
        self._ssrc: int | None = None
        self._waiting: dict[int, bytes] = {}
        self._misplaced_since: float | None = None
        self.late_packets = 0

    @property
    def patience_s(self) -> float:
        """How long a missing packet is waited for at present, seconds."""
        return self._jitter.patience_s

    def add(self, ssrc: int, timestamp: int, payload: bytes, now_s: float) -> None:
        """Take one packet as it arrives.

        Args:
            ssrc: the RTP source; another source starts where the row has come to.
            timestamp: RTP timestamp, 32 bits at 48 kHz.
            payload: one Opus packet; one that cannot be read counts as lost.
            now_s: time of arrival, seconds.
        """
        try:
            opus_samples(payload)
        except ValueError:
            return
        unwrapped = self._unwrap(timestamp)
        if self._origin is None or ssrc != self._ssrc:
            self._ssrc = ssrc
            self._anchor(unwrapped, now_s)
        assert self._origin is not None
        if self._has_jumped(unwrapped - self._origin, now_s):
            self._anchor(unwrapped, now_s)
        position = unwrapped - self._origin
        if self._is_far_ahead(position, now_s):
            return
        self._jitter.add(now_s - position / RATE)
        if position < self._head:
            self.late_packets += 1
        else:
            self._hold(position, payload)

    def pop(self, now_s: float) -> list[Piece]:
        """What may be heard by now, in order: packets, and concealment for what is overdue."""
        pieces: list[Piece] = []
        while True:
            piece = self._next_piece(now_s)
            if piece is None:
                return pieces
            self._head += piece.n_samples
            pieces.append(piece)

    def due_s(self) -> float:
        """When the next piece is given up if it has not come, seconds."""
        return self._jitter.base_s + self._head / RATE + self._jitter.patience_s

    def _next_piece(self, now_s: float) -> Piece | None:
        payload = self._waiting.pop(self._head, None)
        if payload is not None:
            return Piece(payload, opus_samples(payload))
        if now_s < self.due_s():
            return None
        gap = min(self._waiting, default=self._head + PIECE_SAMPLES) - self._head
        return Piece(None, min(gap, PIECE_SAMPLES))

    def _hold(self, position: int, payload: bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            del self._waiting[min(self._waiting)]
            self.late_packets += 1
        self._waiting[position] = payload

    def _anchor(self, unwrapped: int, now_s: float) -> None:
        """Let the packet with this timestamp be the next piece."""
        self._origin = unwrapped - self._head
        self._misplaced_since = None
        self._waiting.clear()
        self._jitter.restart(now_s - self._head / RATE)

    def _is_far_ahead(self, position: int, now_s: float) -> bool:
        return now_s - position / RATE < self._jitter.base_s - FAR_AHEAD_S

    def _has_jumped(self, position: int, now_s: float) -> bool:
        """Whether packets have long been too old or too far ahead for the row."""
        if position >= self._head and not self._is_far_ahead(position, now_s):
            self._misplaced_since = None
            return False
        if self._misplaced_since is None:
            self._misplaced_since = now_s
        return now_s - self._misplaced_since > MISPLACED_S

    def _unwrap(self, timestamp: int) -> int:
        """The timestamp without its 32-bit wrap, nearest to the one before."""
        if self._origin is None:
            self._newest = timestamp
        distance = (timestamp - self._newest + (1 << 31)) % (1 << 32) - (1 << 31)
        self._newest += distance
        return self._newest
