"""A caller's microphone: pieces of sound in, steps of features with their own sound out.

    pieces   |960|960|gap|960| ...              48 kHz, Opus or samples, from the sound source
    sound    |decoded|concealed|decoded| ...    48 kHz int16, cut into 1920
    features        window k is ready when the sound has reached its lookahead

Step k carries the features of window k and sound [1920 k, 1920 (k + 1)). Runs on the session's
worker thread. Read next: `streaming/session.py`.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from streaming.decimate import Decimator
from streaming.features import SAMPLE_RATE, MfccWindows
from streaming.opus import OpusDecoder
from streaming.receive_buffer import Piece

STEP_SAMPLES = 1920
"""Sound of one step at 48 kHz, 40 ms."""
FADE_SAMPLES = 960
"""Concealment repeats the last 20 ms once, fading to silence."""
RETURN_SAMPLES = 120
"""Sound after a gap comes back within 2.5 ms, without a click."""


class HeardStep(NamedTuple):
    """What the engine needs for step k, and the sound that goes out with its picture.

    k: the number of the step.
    features: [28, 12] float32, the MFCC window.
    sound: [1920] int16, 48 kHz mono.
    """

    k: int
    features: np.ndarray
    sound: np.ndarray


class Ingest:
    """Decoder, concealment and features of one caller."""

    def __init__(self, lookahead_ms: int, first_coefficient: int = 0) -> None:
        """A caller who has said nothing yet.

        Args:
            lookahead_ms: how far past its own start a picture hears, the engine's figure.
            first_coefficient: of the MFCC, the engine's figure.
        """
        self._decoder = OpusDecoder()
        self._decimator = Decimator()
        self._features = MfccWindows(lookahead_ms * SAMPLE_RATE // 1000, first_coefficient)
        self._sound = np.empty(0, np.int16)  # not yet a whole step
        self._cut: deque[np.ndarray] = deque()  # steps that wait for their features: the lookahead
        self._last = np.zeros(FADE_SAMPLES, np.int16)
        self._in_gap = False
        self._k = 0
        self.concealed_samples = 0

    def push(self, pieces: list[Piece], muted: bool = False) -> list[HeardStep]:
        """Hear pieces and return the steps that they complete.

        Args:
            pieces: the next pieces of the row.
            muted: hear, and give back, silence instead.
        """
        sound = [self._sound_of(piece) for piece in pieces]
        samples = np.concatenate(sound) if sound else np.empty(0, np.int16)
        if muted:
            samples = np.zeros_like(samples)
        self._cut_steps(samples)
        return [self._next_step(w) for w in self._features.push(self._decimator.push(samples))]

    def _next_step(self, window: np.ndarray) -> HeardStep:
        step = HeardStep(self._k, window, self._cut.popleft())
        self._k += 1
        return step

    def _cut_steps(self, samples: np.ndarray) -> None:
        self._sound = np.concatenate((self._sound, samples))
        while self._sound.size >= STEP_SAMPLES:
            self._cut.append(self._sound[:STEP_SAMPLES].copy())
            self._sound = self._sound[STEP_SAMPLES:]

    def _sound_of(self, piece: Piece) -> np.ndarray:
        """The sound of one piece, [n_samples] int16."""
        decoded = piece.payload
        if isinstance(decoded, bytes):
            decoded = self._decoder.decode(decoded)
        if decoded is None:
            return self._conceal(piece.n_samples)
        sound = np.zeros(piece.n_samples, np.int16)
        sound[: decoded.size] = decoded[: piece.n_samples]
        self._last = np.concatenate((self._last, sound))[-FADE_SAMPLES:]
        if self._in_gap:
            sound[:RETURN_SAMPLES] = sound[:RETURN_SAMPLES] * np.linspace(0, 1, RETURN_SAMPLES)
        self._in_gap = False
        return sound

    def _conceal(self, n_samples: int) -> np.ndarray:
        """The last 20 ms again, fading, as a gap begins; then silence. [n_samples] int16."""
        self.concealed_samples += n_samples
        sound = np.zeros(n_samples, np.int16)
        if not self._in_gap:
            n = min(n_samples, FADE_SAMPLES)
            sound[:n] = self._last[:n] * np.linspace(1, 0, n)
        self._in_gap = True
        return sound


def warm_up(lookahead_ms: int) -> None:
    """Do once, before the first caller, what is slow the first time: tables, imports."""
    Ingest(lookahead_ms).push([Piece(None, STEP_SAMPLES)] * 4)
