"""Log mel spectra of speech, from which the network's cepstra are one product away.

Speaker, room, noise and microphone change a spectrum much faster than they change sound, so
training keeps spectra and varies them anew for every batch. Read next: `variation.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

RATE, HOP, FRAME, FFT = 16000, 160, 400, 512
FILTERS, COEFFICIENTS = 26, 12
ROWS_PER_SECOND = 100
MIDDLE = FRAME / 2 / RATE
"""Seconds from the first sample of a row to its middle."""


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Logarithm of the energy in 26 mel bands, as `streaming.features` takes it.

    Args:
        samples: [S] float32, 16 kHz.

    Returns:
        [(S - 400) // 160 + 1, 26] float32; row r spans samples 160 r .. 160 r + 399.
    """
    sound = np.asarray(samples, np.float64)
    emphasised = np.append(sound[:1], sound[1:] - 0.97 * sound[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, FRAME)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames, FFT))) / FFT
    energies = power @ _filters()
    return np.log(np.maximum(energies, np.finfo(float).eps)).astype(np.float32)


def cepstra(spectra: np.ndarray) -> np.ndarray:
    """Log energy and coefficients 1 .. 11 of log mel spectra, [..., 26] -> [..., 12] float32.

    The bands' energies sum up to the whole but for the outermost bins.
    """
    energy = np.logaddexp.reduce(spectra, axis=-1)
    return np.concatenate([energy[..., None], spectra @ _to_cepstrum()], axis=-1, dtype=np.float32)


@cache
def hertz_of_bands() -> np.ndarray:
    """Middle of every mel band, [26] float64 Hz."""
    top = np.log10(1 + RATE / 2 / 700)
    return 700 * (10 ** (np.arange(1, FILTERS + 1) / (FILTERS + 1) * top) - 1)


@cache
def band_of_hertz(factor: float) -> np.ndarray:
    """Where each band is found in a spectrum whose frequencies are `factor` times as high, [26]."""
    top = np.log10(1 + RATE / 2 / 700)
    bands = np.log10(1 + hertz_of_bands() / factor / 700) / top * (FILTERS + 1) - 1
    return bands.clip(0, FILTERS - 1)


@cache
def bins_per_band() -> np.ndarray:
    """How many bins of the Fourier transform a band averages, [26] float64."""
    return np.maximum(_filters().sum(axis=0), 1.0)


@cache
def _filters() -> np.ndarray:
    """[257, 26]."""
    from python_speech_features.base import get_filterbanks

    return get_filterbanks(FILTERS, FFT, RATE).T


@cache
def _to_cepstrum() -> np.ndarray:
    """The liftered DCT-II without its constant, [26, 11]."""
    n = np.arange(1, COEFFICIENTS)
    angles = np.pi * (np.arange(FILTERS)[:, None] + 0.5) * n / FILTERS
    lifter = 1 + 11 * np.sin(np.pi * n / 22)
    return np.cos(angles) * np.sqrt(2 / FILTERS) * lifter
