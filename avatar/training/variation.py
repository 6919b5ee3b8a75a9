"""Variety without new sound: other voices by linear maps, other sentences by changing the order.

A network that sees the same takes again and again learns voices and sentences by heart; this is
done anew for every batch.
"""

from __future__ import annotations

import numpy as np

from avatar.training.motion_data import Examples

SPLICED = 0.6
"""Share of takes whose parts change places."""
PART = (12, 45)
"""Pictures in a part, at least and at most."""
TRACT = 0.1
"""Standard deviation of the logarithm by which formants move."""
COEFFICIENTS, FILTERS = 12, 26
DELAY = 2
"""Pictures by which lips follow the newest sound of their window, so that cuts in both agree."""


def varied_examples(
    examples: Examples, batch: np.ndarray, amount: float, rng: np.random.Generator
) -> Examples:
    """A batch of examples as other voices would say other sentences.

    Args:
        examples: all takes.
        batch: [B] indices of takes.
        amount: of `jitter`.
        rng: source of all choices.
    """
    rows = jitter(examples.rows[batch], amount, rng)
    weights = examples.weights[batch]  # indexing with an array copies
    for i in range(len(batch)):
        if rng.random() < SPLICED:
            rows[i], weights[i] = splice(rows[i], weights[i], rng)
    return Examples(rows, weights)


def jitter(rows: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Other vocal tracts, and other voices by random maps near the identity; one of each per take.

    Args:
        rows: [B, R, 12] float32, MFCC; digital silence (zeros) stays.
        amount: standard deviation of the entries of the map from the identity's.
        rng: source of the maps.
    """
    noise = rng.normal(0, amount, (len(rows), COEFFICIENTS, COEFFICIENTS))
    tracts = np.stack([warp(np.exp(rng.normal(0, TRACT))) for _ in rows])
    return rows @ (tracts @ (np.eye(COEFFICIENTS) + noise)).astype(np.float32)


def warp(factor: float) -> np.ndarray:
    """The map of MFCC rows, [12, 12] float64, that moves all frequencies by `factor`.

    Cepstra are turned into a log mel spectrum, read at the moved frequencies, and turned back
    (vocal tract length normalisation as a linear transform).
    """
    mels = np.arange(FILTERS) + 0.5
    n = np.arange(1, COEFFICIENTS + 1)
    basis = np.sqrt(2 / FILTERS) * np.cos(np.pi * mels[:, None] * n / FILTERS)  # [26, 12]
    lifter = 1 + 11 * np.sin(np.pi * n / 22)
    top = np.log10(1 + 8000 / 700)
    hertz = 700 * (10 ** (mels / FILTERS * top) - 1)
    source = np.log10(1 + hertz / factor / 700) / top * FILTERS
    moved = np.sqrt(2 / FILTERS) * np.cos(np.pi * source.clip(0, FILTERS)[:, None] * n / FILTERS)
    return (moved / lifter).T @ (basis * lifter)


def splice(
    rows: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A take with its parts in another order.

    Args:
        rows: [4 T + 24, 12] float32; picture t brings rows 4 t + 24 .. 4 t + 27.
        weights: [T, S] float32, targets.
        rng: source of the cuts and of the order.
    """
    T = len(weights)
    cuts = [0]
    while cuts[-1] < T:
        cuts.append(min(T, cuts[-1] + int(rng.integers(*PART))))
    order = rng.permutation(len(cuts) - 1)
    pictures = np.concatenate([np.arange(cuts[i], cuts[i + 1]) for i in order])  # [T]
    head, new = rows[:24], rows[24:].reshape(T, 4, -1)
    told = np.concatenate([np.arange(DELAY), np.minimum(pictures + DELAY, T - 1)])[:T]
    return np.concatenate([head, new[pictures].reshape(4 * T, -1)]), weights[told]
