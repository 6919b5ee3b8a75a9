"""What happens to a voice on its way to a server: speaker, room, microphone, noise, codec.

Every effect keeps the time of the phonemes, except the change of speed, which says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

RATE = 16000


@dataclass(frozen=True)
class Channel:
    """How often each effect occurs (0 .. 1), and how strong it can be."""

    # speaker
    speed: float = 0.7
    vocal_tract: float = 0.4
    whisper: float = 0.08
    # room and microphone
    room: float = 0.4
    equaliser: float = 0.8
    band: float = 0.3
    clip: float = 0.1
    # noise
    noise: float = 0.6
    noise_db: tuple[float, float] = (5.0, 30.0)
    # codec
    opus: float = 0.4
    opus_kbps: tuple[int, int] = (16, 64)


def another_speaker(
    samples: np.ndarray, rng: np.random.Generator, channel: Channel
) -> tuple[np.ndarray, float]:
    """The same words by a higher, lower, larger, smaller or whispering speaker.

    Args:
        samples: [S] float32, 16 kHz.
        rng: source of the choices.
        channel: how often each change occurs.

    Returns:
        [S * factor] float32 and the factor by which it got longer.
    """
    whisper = rng.random() < channel.whisper
    if whisper or rng.random() < channel.vocal_tract:
        samples = _revoiced(samples, float(np.exp(rng.uniform(-0.2, 0.2))), whisper, rng)
    factor = 1.0
    if rng.random() < channel.speed:
        factor = float(np.exp(rng.uniform(-0.16, 0.16)))
        positions = np.arange(0, len(samples) - 1, 1 / factor)
        samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
    return samples, factor


def _revoiced(
    samples: np.ndarray, tract: float, whisper: bool, rng: np.random.Generator
) -> np.ndarray:
    """With formants `tract` times as high, and with noise for a voice in a whisper; [S] -> [S]."""
    from scipy.signal import istft, stft

    options = {"nperseg": 512, "noverlap": 384}
    _, _, spectrum = stft(samples, **options)  # [257, T]
    envelope = _envelope(spectrum)
    bins = np.arange(len(envelope))
    warped = np.stack([np.interp(bins / tract, bins, column) for column in envelope.T], axis=1)
    if whisper:
        _, _, voice = stft(rng.normal(size=len(samples)), **options)
        tilt = np.linspace(-2.0, 0.0, len(bins))[:, None]  # whispers lack low frequencies
        out = voice / _rms(voice) * np.exp(warped + tilt)
    else:
        out = spectrum * np.exp(np.clip(warped - envelope, -4, 4))
    _, sound = istft(out, **options)
    return np.pad(sound, (0, max(0, len(samples) - len(sound))))[: len(samples)].astype(np.float32)


def _envelope(spectrum: np.ndarray, quefrencies: int = 28) -> np.ndarray:
    """Smooth log magnitude of a spectrogram by its low cepstrum, [F, T] -> [F, T]."""
    logs = np.log(np.abs(spectrum) + 1e-5)
    cepstrum = np.fft.irfft(logs, axis=0)
    cepstrum[quefrencies:-quefrencies] = 0
    return np.fft.rfft(cepstrum, axis=0).real


def _rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(np.abs(sound))))) + 1e-9


def transmitted(
    samples: np.ndarray, babble: np.ndarray, rng: np.random.Generator, channel: Channel
) -> np.ndarray:
    """A recording of the voice as a server receives it.

    Args:
        samples: [S] float32, 16 kHz.
        babble: [>= S] float32, other people talking.
        rng: source of the choices.
        channel: how often each effect occurs.

    Returns:
        [S] float32 within -1 .. 1.
    """
    level = _rms(samples)
    if rng.random() < channel.room:
        samples = _in_room(samples, rng)
    if rng.random() < channel.equaliser:
        samples = _filtered(samples, _random_equaliser(rng))
    if rng.random() < channel.noise:
        loudness = level * 10 ** (-rng.uniform(*channel.noise_db) / 20)
        samples = samples + loudness * noise(len(samples), babble, rng)
    else:
        samples = samples + level * 10 ** (-rng.uniform(45, 70) / 20) * rng.normal(
            size=len(samples)
        )
    if rng.random() < channel.band:
        samples = _filtered(samples, _band(rng))
    samples = samples * 10 ** (rng.uniform(-45, -3) / 20) / (np.abs(samples).max() + 1e-9)
    if rng.random() < channel.clip:
        limit = np.abs(samples).max() * rng.uniform(0.2, 0.6)
        samples = np.clip(samples, -limit, limit)
    if rng.random() < channel.opus:
        samples = through_opus(samples, int(rng.uniform(*channel.opus_kbps)))
    return np.clip(samples, -1, 1).astype(np.float32)


def noise(n: int, babble: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White, pink, brown, hum, keyboard-like or babble noise [n] float64 of unit power."""
    kind = rng.integers(6)
    if kind < 3:
        spectrum = np.fft.rfft(rng.normal(size=n))
        spectrum /= np.maximum(np.arange(len(spectrum)), 20.0) ** (0.5 * kind)
        sound = np.fft.irfft(spectrum, n)
    elif kind == 3:
        base, time = rng.choice([50.0, 60.0, 120.0]), np.arange(n) / RATE
        sound = 0.02 * rng.normal(size=n)
        for h in range(1, 12):
            sound += rng.normal() / h * np.sin(2 * np.pi * base * h * time + rng.uniform(0, 6))
    elif kind == 4:
        taps = (rng.random(n) < 8 / RATE) * rng.normal(size=n)
        decay = np.exp(-np.arange(800) / 120) * rng.normal(size=800)
        sound = np.convolve(taps, decay)[:n] + 0.001 * rng.normal(size=n)
    else:
        sound = np.sum([np.roll(babble[:n], rng.integers(n)) for _ in range(5)], axis=0)
    return sound / _rms(sound)


def _in_room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Convolved with a direct path and an exponentially decaying tail of 0.1 to 0.6 s."""
    from scipy.signal import fftconvolve

    time = np.arange(int(0.4 * RATE)) / RATE
    tail = rng.normal(size=len(time)) * np.exp(-6.9 * time / rng.uniform(0.1, 0.6))
    tail[: int(0.004 * RATE)] = 0
    tail *= 10 ** (rng.uniform(-20, -2) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return fftconvolve(samples, tail)[: len(samples)]


def _random_equaliser(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve of -10 to 10 dB: frequencies in Hz and gains in dB."""
    knots = np.array([0, 125, 250, 500, 1000, 2000, 4000, 8000.0])
    return knots, rng.normal(0, 5, len(knots)).clip(-12, 12)


def _band(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A telephone or a poor microphone: frequencies in Hz and gains in dB."""
    low, high = rng.uniform(40, 300), rng.uniform(3300, 7500)
    return np.array([0, low, low * 1.6, high, high * 1.1, 8000]), np.array(
        [-40, -12, 0, 0, -30, -50.0]
    )


def _filtered(samples: np.ndarray, curve: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The sound with the gains of a curve, zero phase."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.linspace(0, RATE / 2, len(spectrum))
    return np.fft.irfft(spectrum * 10 ** (np.interp(frequencies, *curve) / 20), len(samples))


def through_opus(samples: np.ndarray, kbps: int) -> np.ndarray:
    """Encoded and decoded by Opus in 20 ms packets, aligned with the input; [S] -> [S]."""
    import av

    from avatar.training.sound import resample

    wide = resample(np.asarray(samples, np.float32), RATE, 3 * RATE)
    padded = np.pad(wide, (0, 1920 + (-len(wide)) % 960))
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 3 * RATE, "mono", "flt"
    encoder.bit_rate = kbps * 1000
    encoder.options = {"application": "voip"}
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 3 * RATE, "mono"
    heard: list[np.ndarray] = []
    for i in range(0, len(padded), 960):
        frame = av.AudioFrame.from_ndarray(padded[None, i : i + 960], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 3 * RATE, i, Fraction(1, 3 * RATE)
        for packet in encoder.encode(frame):
            heard.extend(f.to_ndarray() for f in decoder.decode(packet))
    sound = np.concatenate([np.asarray(h).ravel() for h in heard])
    if np.issubdtype(sound.dtype, np.integer):
        sound = sound.astype(np.float32) / 32768
    return resample(sound[OPUS_DELAY:], 3 * RATE, RATE)[: len(samples)]


OPUS_DELAY = 312
"""Samples at 48 kHz that libopus looks ahead, at the start of what it decodes."""
