"""Batches without end: what voices said, strung together anew and heard anew every time.

Speaker (vocal tract, speed), room, noise and microphone act on log mel spectra, where each is an
addition, a shift or a short recursion. Read next: `motion_loop.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from avatar.training.spectra import (
    COEFFICIENTS,
    FILTERS,
    ROWS_PER_SECOND,
    band_of_hertz,
    bins_per_band,
    cepstra,
    hertz_of_bands,
)
from avatar.training.takes import Said
from avatar.training.visemes import SILENCE_SOUND, VISEMES

FRAMES = 200
"""Pictures in a take, 8 s."""
ROWS = 4 * FRAMES + 24
FIRST_ROW = 20.25
"""Row of a take whose middle is the time of its first picture."""
TO_NEPER = np.log(10) / 10
"""Natural logarithm of energy in one decibel."""
PARTED = (20, 45)
"""Rows before and after speech in which lips are parted as for a neutral vowel: people breathe in
and get ready to speak."""
NEUTRAL = np.array(VISEMES["ə"].target, np.float32)
SILENT = -18.0
"""Log mel energy of the pauses between utterances, whose loudest rows lie near 3."""
NOTHING = np.append(np.log(np.finfo(float).eps), np.zeros(COEFFICIENTS - 1)).astype(np.float32)
"""The MFCC of digital silence."""


@dataclass(frozen=True)
class Variety:
    """How often each effect occurs (0 .. 1), and how strong it can be.

    tract, speed: standard deviation of the logarithm.
    equaliser_db: standard deviation of a band's gain.
    voice: of the entries of a random map of the cepstra, from the identity's.
    nothing: share of takes in which nobody speaks.
    """

    # speaker
    tract: float = 0.12
    speed: float = 0.15
    voice: float = 0.05
    nothing: float = 0.06
    # room and microphone
    room: float = 0.4
    equaliser_db: float = 6.0
    band: float = 0.25
    # noise
    noise: float = 0.65
    noise_db: tuple[float, float] = (3.0, 35.0)


OWN_VOICE = Variety(tract=0.0, speed=0.0, voice=0.0)
"""Rooms, microphones and noise, but speakers as they are."""


class Examples(NamedTuple):
    """N takes of T = FRAMES pictures.

    rows: [N, 4 T + 24, 12] float32, MFCC.
    measures: [N, T, 5] float32, `visemes.MEASURES`.
    sounds: [N, T] int64, class of the phoneme, -1 where it is unknown.
    """

    rows: np.ndarray
    measures: np.ndarray
    sounds: np.ndarray


class Voices(NamedTuple):
    """Everything that may be strung together.

    said: utterances of every voice; shares: [V] float64, how often each voice speaks, sum 1.
    """

    said: list[list[Said]]
    shares: np.ndarray


def new_examples(
    voices: Voices, count: int, rng: np.random.Generator, variety: Variety | None = None
) -> Examples:
    """Takes that have not been heard before.

    Args:
        voices: who speaks; one of them in every take.
        count: how many takes, N.
        rng: source of all choices.
        variety: what may happen to the sound.
    """
    variety = variety or Variety()
    chosen = rng.choice(len(voices.said), count, p=voices.shares)
    takes = [strung(voices.said[i], rng, variety) for i in chosen]
    spectra = np.stack([take.spectra for take in takes])
    spectra = varied(spectra, rng, variety)
    rows = cepstra(spectra + TO_NEPER * rng.uniform(-40, 0, (count, 1, 1)).astype(np.float32))
    shape = rows[..., 1:]
    noise = rng.normal(0, variety.voice, (count, shape.shape[2], shape.shape[2]))
    rows[..., 1:] = shape @ (np.eye(shape.shape[2]) + noise).astype(np.float32)
    begin = np.where(rng.random(count) < 0.15, rng.integers(0, ROWS // 4, count), 0)
    rows[np.arange(ROWS) < begin[:, None]] = NOTHING  # a microphone that opens late
    at = (FIRST_ROW + 4 * np.arange(FRAMES)).astype(int)
    measures = np.stack([take.measures for take in takes])
    measures = 0.75 * measures[:, at] + 0.25 * measures[:, at + 1]
    heard = at >= begin[:, None]
    measures = (measures * heard[..., None]).astype(np.float32)
    sounds = np.where(heard, np.stack([take.sounds for take in takes])[:, at], -1)
    return Examples(rows, measures, sounds)


def strung(said: list[Said], rng: np.random.Generator, variety: Variety) -> Said:
    """ROWS rows of one voice that says parts of its utterances, each faster or slower."""
    spectra = np.full((ROWS, FILTERS), SILENT, np.float32)
    measures, sounds = np.zeros((ROWS, 5), np.float32), np.full(ROWS, -1)
    row = int(rng.integers(0, 80))
    silent = rng.random() < variety.nothing
    while row < ROWS and not silent:
        one = _part(said[rng.integers(len(said))], rng)
        factor = np.exp(np.clip(rng.normal(0, variety.speed), -0.3, 0.3))
        at = np.arange(0, len(one.spectra) - 1, factor)[: ROWS - row]
        low, share = at.astype(int), (at % 1)[:, None].astype(np.float32)
        span = slice(row, row + len(at))
        loudness = TO_NEPER * rng.uniform(-8, 0)
        spectra[span] = (1 - share) * one.spectra[low] + share * one.spectra[low + 1] + loudness
        measures[span] = (1 - share) * one.measures[low] + share * one.measures[low + 1]
        sounds[span] = one.sounds[low]
        long = rng.random() < 0.12
        pause = rng.uniform(1, 4) if long else rng.uniform(0, 0.8)
        row += len(at) + int(ROWS_PER_SECOND * pause)
    return Said(spectra, parted_in_pauses(measures, sounds), sounds)


def _part(said: Said, rng: np.random.Generator) -> Said:
    """What is audible of an utterance, or 0.8 to 2.5 s of it, so that nobody learns it by heart."""
    spoken = np.flatnonzero((said.sounds >= 0) & (said.sounds != SILENCE_SOUND))
    if not len(spoken):
        return said  # a tracked face: its phonemes are unknown
    first, last = max(int(spoken[0]) - 6, 0), int(spoken[-1]) + 8
    length = int(ROWS_PER_SECOND * rng.uniform(0.8, 2.5))
    if rng.random() < 0.5 and last - first > length:
        first += int(rng.integers(0, last - first - length))
        last = first + length
    return Said(*(rows[first:last] for rows in said))


def parted_in_pauses(measures: np.ndarray, sounds: np.ndarray) -> np.ndarray:
    """Measures [R, 5] with a neutral mouth where [R] sounds pause, PARTED rows around speech."""
    spoken = (sounds >= 0) & (sounds != SILENCE_SOUND)
    before, after = PARTED
    count = np.concatenate([[0], np.cumsum(np.pad(spoken, (after, before)))])
    near = count[after + before + 1 :] > count[: -after - before - 1]
    return np.where((near & ~spoken)[:, None], NEUTRAL, measures).astype(np.float32)


def varied(spectra: np.ndarray, rng: np.random.Generator, variety: Variety) -> np.ndarray:
    """The takes [N, R, 26] as other speakers in other rooms with other microphones."""
    tracts = np.exp(rng.normal(0, variety.tract, len(spectra)).clip(-0.25, 0.25))
    out = np.stack([_warped(take, f) for take, f in zip(spectra, tracts, strict=True)])
    for i in range(len(out)):
        if rng.random() < variety.room:
            out[i] = _in_room(out[i], rng)
    out += _curves(len(out), rng, variety.equaliser_db)[:, None]
    babble = np.roll(out, 1, axis=0)
    for i in range(len(out)):
        noisy = rng.random() < variety.noise
        decibels = rng.uniform(*(variety.noise_db if noisy else (40, 70)))
        out[i] = _with_noise(out[i], babble[i], decibels, rng)
        if rng.random() < variety.band:
            out[i] = _limited(out[i], rng)
    return out


def _warped(take: np.ndarray, factor: float) -> np.ndarray:
    """With formants `factor` times as high, [R, 26]."""
    at = band_of_hertz(round(factor, 2))
    low = np.minimum(at.astype(int), FILTERS - 2)
    share = (at - low).astype(np.float32)
    return (1 - share) * take[:, low] + share * take[:, low + 1]


def _in_room(take: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a tail that decays by 60 dB in 0.15 to 0.8 s, [R, 26]."""
    from scipy.signal import lfilter

    keep = np.exp(-13.8 / ROWS_PER_SECOND / rng.uniform(0.15, 0.8))
    gain = 10 ** (rng.uniform(-15, 0) / 10) * (1 - keep)
    energy = np.exp(take)
    return np.log(energy + gain * lfilter([0.0, 1.0], [1.0, -keep], energy, axis=0)).astype(
        take.dtype
    )


def _curves(count: int, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Smooth random gains, [count, 26] nepers of energy: a tilt and ever smaller ripples."""
    n = np.arange(1, 7)
    ripples = np.cos(np.pi * n[:, None] * (np.arange(FILTERS) + 0.5) / FILTERS)
    gains = rng.normal(0, decibels, (count, len(n))) / n**0.7
    return (TO_NEPER * gains @ ripples).astype(np.float32)


def _with_noise(
    take: np.ndarray, babble: np.ndarray, decibels: float, rng: np.random.Generator
) -> np.ndarray:
    """With noise so many decibels below the mean energy of what is said, [R, 26]."""
    level = np.log(np.exp(take).mean() + 1e-6)
    noise = _noise(babble, rng)
    noise = noise - np.log(np.exp(noise).mean() + 1e-12) + level - TO_NEPER * decibels
    return np.logaddexp(take, noise).astype(np.float32)


def _noise(babble: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Steady, swelling, clicking, tonal or babbling noise, [R, 26] log mel at any level."""
    rows, kind = len(babble), rng.integers(6)
    if kind == 5:
        return np.logaddexp(babble, np.roll(babble, rows // 3, axis=0))
    shape = TO_NEPER * rng.normal(-0.6, 0.6) * np.arange(FILTERS)
    shape = shape + _curves(1, rng, 4.0)[0] + np.log(bins_per_band())
    flutter = np.log(rng.gamma(0.7 * bins_per_band(), size=(rows, FILTERS)) + 1e-3)
    noise = shape + flutter - np.log(bins_per_band())
    if kind == 2:  # swells
        knots = rng.normal(0, 8 * TO_NEPER, rows // 25 + 2)
        noise = noise + np.interp(np.arange(rows), 25 * np.arange(len(knots)), knots)[:, None]
    elif kind == 3:  # clicks
        clicks = (rng.random(rows) < 0.06) * rng.exponential(1.0, rows)
        noise = noise + np.log(clicks + np.roll(clicks, 1) * 0.2 + 1e-4)[:, None]
    elif kind == 4:  # tones that come and go, as in music
        length = int(rng.integers(15, 60))
        tones = rng.normal(0, 12 * TO_NEPER, (rows // length + 1, FILTERS))
        noise = noise + np.repeat(tones, length, axis=0)[:rows]
    return noise


def _limited(take: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a telephone or a poor microphone hears it, [R, 26]."""
    hertz = hertz_of_bands()
    low, high = rng.uniform(40, 350), rng.uniform(3300, 7500)
    loss = np.where((hertz < low) | (hertz > high), rng.uniform(10, 50), 0.0)
    floor = take.max() - TO_NEPER * rng.uniform(50, 80)
    return np.logaddexp(take - TO_NEPER * loss, floor).astype(np.float32)
