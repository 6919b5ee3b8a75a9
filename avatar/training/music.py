"""Music that nobody sings: tones, chords, melodies and drums, over which lips shall stay closed.

Every piece has an instrument of its own: harmonics, resonances, attack, decay, vibrato and breath.
Read next: `variation.py` (where it is heard).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RATE = 16000
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), tuple(range(12)))
"""Semitones over the key note: major, minor, pentatonic, chromatic."""
BACKGROUND = 10 ** (-50 / 20)
"""Noise under every piece, against its mean power."""


def played(n: int, rng: np.random.Generator) -> np.ndarray:
    """A piece of music, [n] float32 of unit mean power at 16 kHz.

    Args:
        n: samples.
        rng: source of all choices.
    """
    sound = np.zeros(n)
    tuned = rng.random() < 0.9
    if tuned:
        for _ in range(int(rng.choice([1, 1, 1, 2]))):
            sound += rng.uniform(0.3, 1) * _melody(n, rng)
    if not tuned or rng.random() < 0.25:
        sound += rng.uniform(0.5, 2) * _drums(n, rng)
    sound /= np.sqrt(np.square(sound).mean()) + 1e-9
    return (sound + BACKGROUND * rng.normal(size=n)).astype(np.float32)


def _melody(n: int, rng: np.random.Generator) -> np.ndarray:
    """One instrument that walks up and down a scale, in single notes or in chords, [n] float64."""
    instrument, scale = _instrument(rng), SCALES[rng.integers(len(SCALES))]
    key, place = rng.uniform(60, 260), int(rng.integers(0, 2 * len(scale)))
    together = int(rng.choice([1, 1, 2, 3, 4]))
    beat, rests = rng.uniform(0.1, 0.7), rng.choice([0.0, 0.1, 0.3])
    legato = rng.uniform(0.7, 1.6)
    ensemble = np.exp(rng.normal(0, 0.006, int(rng.choice([1, 1, 2, 4]))))  # out of tune
    sound, at = np.zeros(n), 0
    while at < n:
        steps = int(beat * rng.choice([0.5, 1, 1, 1, 2, 4]) * RATE) + 1
        place = int(np.clip(place + rng.integers(-4, 5), 0, 3 * len(scale) - 1))
        long = min(int(legato * steps), n - at)
        for voice in range(together if rng.random() > rests else 0):
            octave, degree = divmod(place + 2 * voice, len(scale))
            hertz = key * 2 ** (octave + scale[degree] / 12)
            for copy in ensemble:
                sound[at : at + long] += rng.uniform(0.2, 1) * instrument(copy * hertz, long)
        at += steps
    return sound


def _instrument(rng: np.random.Generator) -> Callable[[float, int], np.ndarray]:
    """How one instrument sounds a note: (Hz, samples) -> [samples] float64."""
    fall, odd = rng.uniform(0, 2.2), rng.random() < 0.2
    count = int(rng.choice([1, 2, 3, 5, 10, 20]))
    peaks, widths = rng.uniform(200, 5000, 3), rng.uniform(80, 600, 3)
    body = rng.choice([0.0, 0.0, 1.0, 5.0])
    attack = np.exp(rng.uniform(np.log(0.001), np.log(0.15)))
    decay = np.exp(rng.uniform(np.log(0.1), np.log(3.0))) if rng.random() < 0.6 else np.inf
    vibrato, rate = rng.choice([0.0, 0.0, rng.uniform(0.002, 0.02)]), rng.uniform(3.5, 7.5)
    breath, inharmonic = rng.choice([0.0, 0.0, 0.02, 0.1]), rng.choice([0.0, 0.0, 3e-4])

    def note(hertz: float, n: int) -> np.ndarray:
        time = np.arange(n) / RATE
        phase = 2 * np.pi * hertz * time - vibrato * hertz / rate * np.cos(2 * np.pi * rate * time)
        sound = breath * rng.normal(size=n)
        for h in range(1, (2 if odd else 1) * count + 1, 2 if odd else 1):
            partial = h * np.sqrt(1 + inharmonic * h * h)
            if hertz * partial > 0.48 * RATE:
                break
            resonance = np.exp(-np.square((hertz * partial - peaks) / widths)).sum()
            strength = h**-fall * (1 + body * resonance) * np.exp(-time * h / (4 * decay))
            sound += strength * np.sin(partial * phase + rng.uniform(0, 6.28))
        end = np.minimum((time[-1] - time) / 0.01, 1)
        return sound * np.minimum(time / attack, 1) * np.exp(-time / decay) * end

    return note


def _drums(n: int, rng: np.random.Generator) -> np.ndarray:
    """A rhythm of low, noisy and bright strokes, [n] float64."""
    step = int(RATE * rng.uniform(0.1, 0.35))
    sound = np.zeros(n + RATE)
    for share in rng.uniform(0, 0.7, 3):
        stroke = _stroke(rng)
        for at in np.flatnonzero(rng.random(n // step + 1) < share) * step:
            sound[at : at + len(stroke)] += rng.uniform(0.5, 1) * stroke
    return sound[:n]


def _stroke(rng: np.random.Generator) -> np.ndarray:
    """A falling tone beside noise that is dull or bright, [8000] float64."""
    time = np.arange(RATE // 2) / RATE
    low, fast = rng.uniform(40, 250), rng.uniform(5, 60)
    tone = np.sin(2 * np.pi * low * (time + 0.05 * (1 - np.exp(-20 * time))))
    noise = rng.normal(size=len(time))
    noise = np.diff(noise, prepend=0.0) if rng.random() < 0.5 else noise
    share = rng.random()
    return ((1 - share) * tone + share * noise) * np.exp(-fast * time)
