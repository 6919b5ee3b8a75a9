"""A made-up voice for the synthetic training set: five sounds, each with its own mouth.

The sounds are harmonics under two formants, so they differ in the very thing that MFCC see; the
mouths are expressions of the rig of model `lite`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SAMPLE_RATE, SAMPLES_PER_PICTURE = 16000, 640
LENGTHS = (3, 7)
"""Pictures that a sound lasts, at least and at most."""
BREATH = 1e-3
"""Noise under everything, so that silence has a spectrum."""


class Sound(NamedTuple):
    """Formants in Hz, loudness, and what the mouth does."""

    formants: tuple[float, float]
    loudness: float
    mouth: dict[str, float]


SOUNDS = (
    Sound((500, 1500), 0.0, {}),
    Sound((750, 1250), 0.3, {"jawOpen": 0.55}),
    Sound((300, 2300), 0.3, {"jawOpen": 0.12, "mouthSmile": 0.4, "mouthStretch": 0.3}),
    Sound((320, 800), 0.3, {"jawOpen": 0.2, "mouthPucker": 0.7, "mouthFunnel": 0.3}),
    Sound((220, 1100), 0.08, {"mouthPress": 0.4, "mouthRollLower": 0.3}),
)
EMOTIONAL_FACES: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {"mouthSmile": 0.8, "cheekSquint": 0.7, "eyeSquint": 0.4},
    "angry": {"browDown": 0.9, "noseSneer": 0.5, "eyeSquint": 0.4},
    "sad": {"mouthFrown": 0.7, "browInnerUp": 0.7},
    "surprised": {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.7},
}
"""Expressions that tell the emotions of the synthetic set apart."""


def speak(
    n_pictures: int, random: np.random.Generator
) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Random talk.

    Args:
        n_pictures: its length.
        random: where it comes from.

    Returns:
        [640 n_pictures] float32 -1..1 at 16 kHz, and the mouth of every picture.
    """
    which: list[int] = []
    while len(which) < n_pictures:
        which += [int(random.integers(len(SOUNDS)))] * int(
            random.integers(LENGTHS[0], LENGTHS[1] + 1)
        )
    spoken = [SOUNDS[i] for i in which[:n_pictures]]
    return _sing(spoken, random), [sound.mouth for sound in spoken]


def _sing(spoken: list[Sound], random: np.random.Generator) -> np.ndarray:
    pitch = random.uniform(100, 220)
    n = len(spoken) * SAMPLES_PER_PICTURE
    time = np.arange(n) / SAMPLE_RATE
    track = np.array([(*sound.formants, sound.loudness) for sound in spoken])
    middles = (np.arange(len(spoken)) + 0.5) * SAMPLES_PER_PICTURE
    first, second, loudness = (np.interp(np.arange(n), middles, column) for column in track.T)
    wave = np.zeros(n)
    for k in range(1, int(4000 / pitch)):
        frequency = k * pitch
        strength = np.exp(-(((frequency - first) / 120) ** 2))
        strength += 0.6 * np.exp(-(((frequency - second) / 180) ** 2))
        wave += strength * np.sin(2 * np.pi * frequency * time + random.uniform(0, 2 * np.pi))
    noisy = loudness * wave / 3 + BREATH * random.normal(size=n)
    return np.clip(noisy, -1, 1).astype(np.float32)
