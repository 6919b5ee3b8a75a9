"""48 kHz -> 16 kHz sound, a third of the samples for every chunk at once.

A causal filter: a chunk of 960 samples gives its 320 samples immediately. (FFmpeg's resampler
holds 16 samples back, and a step would wait for a whole packet more.) The price is a shift of
1 ms, the same for all sound.
"""

from __future__ import annotations

from functools import cache

import numpy as np

FACTOR = 3
TAPS = 96
"""Length of the filter at 48 kHz; half of it, 1 ms, is the shift."""


class Decimator:
    """One stream of sound on its way from 48 kHz to 16 kHz."""

    def __init__(self) -> None:
        """A stream that has been silent so far."""
        self._tail: np.ndarray = np.zeros(TAPS - FACTOR, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take the next chunk.

        Args:
            samples: [S] int16, 48 kHz, S a multiple of 3.

        Returns:
            [S / 3] float32 -1 .. 1, 16 kHz.

        Raises:
            ValueError: S is not a multiple of 3.
        """
        if samples.size % FACTOR:
            raise ValueError(f"chunk of {samples.size} samples, not a multiple of {FACTOR}")
        signal = np.concatenate((self._tail, samples.astype(np.float32) / 32768))
        self._tail = signal[signal.size - self._tail.size :]
        if not samples.size:
            return np.empty(0, np.float32)
        spans = np.lib.stride_tricks.sliding_window_view(signal, TAPS)[::FACTOR]
        return spans @ _low_pass()


@cache
def _low_pass() -> np.ndarray:
    """A windowed sinc of gain 1 that ends at 7.4 kHz, [TAPS] float32."""
    t = np.arange(TAPS) - (TAPS - 1) / 2
    taps = np.sinc(t * 2 * 7400 / 48000) * np.hamming(TAPS)
    return (taps / taps.sum()).astype(np.float32)
