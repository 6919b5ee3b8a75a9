"""MFCC windows of a live signal, equal to `python_speech_features` over the whole signal.

    padded   |0 .. 0|x0 x1 x2 ...            4720 - lookahead zeros, then the sound
    row r    padded[160 r, 160 r + 400)      12 coefficients; number 0 is the log energy
    window k rows 4 k .. 4 k + 27            ends with x[640 k + lookahead - 1]

So window k belongs to the picture that starts at x[640 k]. Read next: `streaming/ingest.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

SAMPLE_RATE = 16000
SAMPLES_PER_WINDOW = 640
ROWS, COEFFICIENTS = 28, 12

_FRAME, _HOP, _FFT, _FILTERS, _PREEMPHASIS = 400, 160, 512, 26, 0.97
_ROWS_PER_WINDOW = SAMPLES_PER_WINDOW // _HOP
_SPAN = (ROWS - 1) * _HOP + _FRAME  # samples under one window


class MfccWindows:
    """The [28, 12] windows of one stream of 16 kHz sound, whatever the size of its chunks."""

    def __init__(self, lookahead_samples: int, first: int = 0) -> None:
        """A stream that has heard nothing yet.

        Args:
            lookahead_samples: 1 .. 4720, how far past the start of its picture a window reaches.
            first: number of the first of the twelve coefficients, 0 or 1.

        Raises:
            ValueError: the lookahead is outside that range.
        """
        if not 1 <= lookahead_samples <= _SPAN:
            raise ValueError(f"lookahead must be 1 to {_SPAN} samples, got {lookahead_samples}")
        self.lookahead_samples, self._first = lookahead_samples, first
        self._heard = 0  # samples
        self._previous = 0.0  # last sample, for the pre-emphasis
        self._signal = np.zeros(_SPAN - lookahead_samples)  # pre-emphasised, from the next row on
        self._rows = np.empty((0, COEFFICIENTS))  # from the next window on

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Hear samples and return the windows that they complete.

        Args:
            samples: [S] float32 -1 .. 1, 16 kHz, any S.

        Returns:
            [n, 28, 12] float32, in order; n may be 0.

        Raises:
            ValueError: `samples` is not one-dimensional.
        """
        samples = np.asarray(samples, dtype=np.float64)
        if samples.ndim != 1:
            raise ValueError(f"samples must be one-dimensional, got shape {samples.shape}")
        if samples.size == 0:
            return self._take_windows()
        self._heard += samples.size
        emphasised = samples - _PREEMPHASIS * np.concatenate(([self._previous], samples[:-1]))
        self._previous = samples[-1]
        self._signal = np.concatenate((self._signal, emphasised))
        self._take_rows()
        return self._take_windows()

    def flush(self) -> np.ndarray:
        """The windows still owed, as if silence followed: S samples give ceil(S / 640) in all.

        Returns:
            [n, 28, 12] float32; the stream goes on after the silence if more is pushed.
        """
        pictures = -(-self._heard // SAMPLES_PER_WINDOW)
        needed = SAMPLES_PER_WINDOW * (pictures - 1) + self.lookahead_samples if pictures else 0
        return self.push(np.zeros(max(0, needed - self._heard)))

    def _take_rows(self) -> None:
        """Turn the finished 25 ms frames of the signal into rows."""
        n = (len(self._signal) - _FRAME) // _HOP + 1
        if n <= 0:
            return
        frames = np.lib.stride_tricks.sliding_window_view(self._signal, _FRAME)[: n * _HOP : _HOP]
        rows = _coefficients(frames)[:, self._first :][:, :COEFFICIENTS]
        self._rows = np.concatenate((self._rows, rows))
        self._signal = self._signal[n * _HOP :]

    def _take_windows(self) -> np.ndarray:
        """The finished windows of the rows, [n, 28, 12] float32."""
        n = max(0, (len(self._rows) - ROWS) // _ROWS_PER_WINDOW + 1)
        windows = np.empty((n, ROWS, COEFFICIENTS), np.float32)
        for i in range(n):
            windows[i] = self._rows[i * _ROWS_PER_WINDOW :][:ROWS]
        self._rows = self._rows[n * _ROWS_PER_WINDOW :]
        return windows


def windows_of(samples: np.ndarray, lookahead_samples: int, first: int = 0) -> np.ndarray:
    """The windows of a whole recording, one per picture.

    Args:
        samples: [S] float32 -1 .. 1, 16 kHz.
        lookahead_samples: see `MfccWindows`.
        first: see `MfccWindows`.

    Returns:
        [ceil(S / 640), 28, 12] float32.
    """
    stream = MfccWindows(lookahead_samples, first)
    return np.concatenate((stream.push(samples), stream.flush()))


def _coefficients(frames: np.ndarray) -> np.ndarray:
    """Log energy and coefficients 1 .. 12 of pre-emphasised frames, [n, 400] -> [n, 13] float64."""
    filters, to_cepstrum = _tables()
    power = np.square(np.abs(np.fft.rfft(frames, _FFT))) / _FFT
    energies = np.column_stack((power.sum(axis=1), power @ filters))
    logs = np.log(np.where(energies == 0, np.finfo(float).eps, energies))
    return np.column_stack((logs[:, 0], logs[:, 1:] @ to_cepstrum))


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """The mel filters [257, 26] and the liftered DCT-II without its constant [26, 12]."""
    from python_speech_features.base import get_filterbanks, lifter

    filters = get_filterbanks(_FILTERS, _FFT, SAMPLE_RATE).T
    n = np.arange(COEFFICIENTS + 1)
    angles = np.pi * (np.arange(_FILTERS)[:, None] + 0.5) * n / _FILTERS
    to_cepstrum = lifter(np.cos(angles) * np.sqrt(2 / _FILTERS))[:, 1:]
    return filters, to_cepstrum
