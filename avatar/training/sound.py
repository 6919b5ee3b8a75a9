"""Reading and resampling of mono sound for training."""

from __future__ import annotations

import wave
from math import gcd
from pathlib import Path

import numpy as np


def read_wave(path: Path) -> tuple[np.ndarray, int]:
    """Samples [S] float32 -1 .. 1 and the rate of a 16-bit WAV file; several channels are averaged.

    Raises:
        ValueError: the samples are not 16-bit.
    """
    with wave.open(str(path)) as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * file.getsampwidth()}-bit samples, expected 16")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        mono = samples.reshape(-1, file.getnchannels()).mean(axis=1)
        return (mono / 32768).astype(np.float32), file.getframerate()


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound at another rate, [S] -> [S * wanted / rate] float32."""
    from scipy.signal import resample_poly

    if rate == wanted:
        return samples.astype(np.float32)
    common = gcd(rate, wanted)
    return resample_poly(samples, wanted // common, rate // common).astype(np.float32)
