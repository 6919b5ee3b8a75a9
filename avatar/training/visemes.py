"""What the lips do for each phoneme, and how neighbours blend: targets for the motion network.

Every phoneme asks for five measures of the mouth with a strength (dominance) that decays in time;
the mouth at any time is the average of all asked for, weighted by dominance (Cohen and Massaro,
"Modeling coarticulation in synthetic visual speech", 1993). The table is phonetics (vowel height,
rounding, place of closure), pulled towards the GRID tracks. Rounded sounds then open the lips 0.6
times as far: drawn together they part less than the jaw drops, and GRID has too few of them to say.
Dominance is shorter than what fits tracks best: a network that learns from it smooths it again.
Read next: `mouth_shapes.py` (measures to expression weights).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.training.phonemes import SILENCE, Phone

MEASURES = ("gap", "jaw", "spread", "funnel", "tuck")
"""Inner lip gap and jaw drop (0 closed .. 1 open vowel), mouth width (-1 rounded .. 1 spread),
protrusion of both lips (0 .. 1), lower lip under the upper teeth (0 .. 1)."""


@dataclass(frozen=True)
class Viseme:
    """What one phoneme asks of the mouth.

    target: the five `MEASURES`.
    opening, shape: dominance over gap, jaw and tuck, and over spread and funnel.
    reach: seconds in which the dominance falls by e beyond the phoneme's core.
    """

    target: tuple[float, float, float, float, float]
    opening: float = 1.0
    shape: float = 1.0
    reach: float = 0.045


@dataclass(frozen=True)
class Timing:
    """How phonemes become motion.

    lead: seconds by which the lips are ahead of the sound.
    core: share of half the phoneme, on both sides of its middle, in which dominance is full.
    reach: factor on every viseme's reach.
    """

    lead: float = 0.0
    core: float = 0.4
    reach: float = 0.8


def _group(symbols: str, viseme: Viseme) -> dict[str, Viseme]:
    """One viseme for all symbols of a class."""
    return dict.fromkeys(symbols.split(), viseme)


VISEMES: dict[str, Viseme] = {
    **_group("ɑ a ɒ ɐ", Viseme((0.98, 0.99, 0.0, 0.0, 0.0), 0.95, 0.9, 0.042)),
    **_group("æ", Viseme((0.95, 0.9, 0.3, 0.0, 0.0), 1.0, 1.0, 0.045)),
    **_group("ʌ ɜ", Viseme((0.7, 0.6, 0.0, 0.0, 0.0), 1.0, 1.0, 0.045)),
    **_group("ə ɘ ɨ", Viseme((0.36, 0.25, 0.0, 0.0, 0.0), 0.65, 0.4, 0.049)),
    **_group("ɛ e", Viseme((0.68, 0.54, 0.34, 0.0, 0.0), 1.0, 0.9, 0.03)),
    **_group("ɪ ɯ", Viseme((0.5, 0.35, 0.35, 0.0, 0.0), 1.15, 0.9, 0.038)),
    **_group("i", Viseme((0.39, 0.21, 0.49, 0.0, 0.0), 1.05, 0.7, 0.034)),
    **_group("ɔ", Viseme((0.45, 0.72, -0.5, 0.2, 0.0), 0.85, 1.0, 0.046)),
    **_group("o ɤ", Viseme((0.33, 0.47, -0.61, 0.3, 0.0), 0.9, 0.85, 0.036)),
    **_group("ʊ ʉ ø œ ʏ", Viseme((0.22, 0.34, -0.46, 0.3, 0.0), 0.95, 1.0, 0.048)),
    **_group("u y", Viseme((0.11, 0.19, -0.88, 0.4, 0.0), 1.15, 1.0, 0.053)),
    **_group("ɝ ɚ", Viseme((0.24, 0.3, -0.3, 0.2, 0.0), 1.0, 1.0, 0.045)),
    **_group("p b m", Viseme((-0.06, 0.11, -0.09, 0.0, 0.0), 5.2, 0.22, 0.027)),
    **_group("f v ɱ ʋ", Viseme((0.02, 0.02, 0.11, 0.0, 1.0), 4.3, 0.4, 0.032)),
    **_group("w ɥ β ɸ", Viseme((0.06, 0.2, -1.09, 0.4, 0.0), 1.7, 2.1, 0.07)),
    **_group("ɹ r ɻ ʁ ʀ", Viseme((0.11, 0.12, -0.44, 0.3, 0.0), 1.0, 1.15, 0.054)),
    **_group("ʃ ʒ t͡ʃ d͡ʒ ɕ ʑ ʂ ʐ", Viseme((0.36, 0.09, -0.52, 0.6, 0.0), 1.0, 1.05, 0.045)),
    **_group("s z", Viseme((0.32, 0.06, 0.34, 0.0, 0.0), 1.1, 0.3, 0.049)),
    **_group("t d n ɾ ʈ ɖ ɳ ɲ", Viseme((0.28, 0.13, 0.15, 0.0, 0.0), 0.55, 0.25, 0.046)),
    **_group("l ɫ ɭ ʎ", Viseme((0.46, 0.32, -0.03, 0.0, 0.0), 0.8, 0.22, 0.065)),
    **_group("θ ð", Viseme((0.36, 0.21, 0.1, 0.0, 0.0), 0.8, 0.3, 0.045)),
    **_group("k ɡ ŋ x ɣ χ ɴ c ɟ", Viseme((0.4, 0.3, 0.0, 0.0, 0.0), 0.4, 0.15, 0.045)),
    **_group("h ɦ ʔ ħ", Viseme((0.38, 0.3, 0.0, 0.0, 0.0), 0.15, 0.1, 0.045)),
    **_group("j ʝ ç", Viseme((0.3, 0.15, 0.4, 0.0, 0.0), 0.7, 0.5, 0.045)),
    SILENCE: Viseme((0.0, 0.0, 0.0, 0.0, 0.0), 0.25, 0.3, 0.066),
}


SOUNDS = list(dict.fromkeys(VISEMES.values()))
"""The different visemes, in the order of their classes."""
SILENCE_SOUND = SOUNDS.index(VISEMES[SILENCE])
BILABIAL_SOUND = SOUNDS.index(VISEMES["p"])
_SOUND_OF = {symbol: SOUNDS.index(viseme) for symbol, viseme in VISEMES.items()}

SHORTEST_CLOSURE = 0.09
"""Seconds that lips stay closed for /p b m/ at least: engines count less of it to short ones."""


def closed_long_enough(phones: list[Phone]) -> list[Phone]:
    """The phones, /p b m/ beginning early enough to last `SHORTEST_CLOSURE`."""
    return [
        p._replace(start=min(p.start, p.end - SHORTEST_CLOSURE)) if p.symbol in "pbm" else p
        for p in phones
    ]


def mouth_measures(phones: list[Phone], n_frames: int, timing: Timing | None = None) -> np.ndarray:
    """`measures_at` the times of `n_frames` pictures, 25 a second from 0: [n_frames, 5] float32."""
    return measures_at(phones, np.arange(n_frames) / 25, timing or Timing())


def measures_at(phones: list[Phone], times: np.ndarray, timing: Timing) -> np.ndarray:
    """The mouth over time that the phonemes ask for.

    Args:
        phones: with silence marked; symbols outside the table ask for nothing.
        times: [T] s.
        timing: how phonemes become motion.

    Returns:
        [T, 5] float32, `MEASURES`.
    """
    known = [(VISEMES[p.symbol], p) for p in phones if p.symbol in VISEMES]
    if not known:
        return np.zeros((len(times), len(MEASURES)), np.float32)
    target = np.array([v.target for v, _ in known])  # [P, 5]
    strength = np.array([(v.opening, v.opening, v.shape, v.shape, v.opening) for v, _ in known])
    middle = np.array([(p.start + p.end) / 2 for _, p in known]) - timing.lead
    core = np.array([(p.end - p.start) / 2 for _, p in known]) * timing.core
    reach = np.array([v.reach for v, _ in known]) * timing.reach
    distance = np.maximum(np.abs(times[:, None] - middle) - core, 0.0)  # [T, P] s
    decay = np.exp(-distance / reach)
    total = decay @ strength + 1e-9
    return ((decay @ (strength * target)) / total).astype(np.float32)  # [T, 5]


def sounds_at(phones: list[Phone], times: np.ndarray, timing: Timing) -> np.ndarray:
    """Class in `SOUNDS` of the phoneme that the lips say at each of [T] times, -1 for none."""
    out = np.full(len(times), -1)
    for phone in phones:
        if phone.symbol in _SOUND_OF:
            first, last = np.searchsorted(
                times, (phone.start - timing.lead, phone.end - timing.lead)
            )
            out[first:last] = _SOUND_OF[phone.symbol]
    return out
