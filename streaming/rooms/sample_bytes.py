"""Samples that arrive as bytes, at the sender's rate, to the sound of steps."""

from __future__ import annotations

import av
import numpy as np

from streaming.opus import RATE


class SampleBytes:
    """int16 bytes of one stream, cut anywhere -> 48 kHz mono."""

    def __init__(self, rate: str | None, channels: str | None) -> None:
        """A stream that has not begun.

        Args:
            rate: samples a second, 8000 to 192000, as the stream's attribute has it.
            channels: 1 or 2, likewise.

        Raises:
            ValueError: one of them is missing or is no such number.
        """
        self._rate = _number("sample_rate", rate, range(8000, 192001))
        n_channels = _number("num_channels", channels, range(1, 3))
        self._layout = ("mono", "stereo")[n_channels - 1]
        self._frame_bytes = 2 * n_channels
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._rest = b""

    def push(self, data: bytes) -> np.ndarray:
        """The next bytes -> [S] int16, 48 kHz; what is no whole sample waits."""
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        data, self._rest = data[:whole], data[whole:]
        if not data:
            return np.empty(0, np.int16)
        samples = np.frombuffer(data, "<i2")[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=self._layout)
        frame.sample_rate = self._rate
        return _joined(self._resampler.resample(frame))

    def flush(self) -> np.ndarray:
        """What the filter has held back, [S] int16, 48 kHz."""
        return _joined(self._resampler.resample(None))


def _joined(frames: list[av.AudioFrame]) -> np.ndarray:
    arrays = [frame.to_ndarray()[0] for frame in frames if frame.samples]
    return np.concatenate(arrays) if arrays else np.empty(0, np.int16)


def _number(name: str, value: str | None, allowed: range) -> int:
    if value is None or not value.isdigit() or int(value) not in allowed:
        raise ValueError(f"{name} must be {allowed[0]} to {allowed[-1]}, got {value!r}")
    return int(value)
