"""Where the red of the lips really begins in a portrait whose teeth show.

The tracker's inner contours often lie on the teeth. Across each lip the colour of its middle is
followed inwards to where it ends.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates, median_filter

STEPS = np.linspace(0.0, 0.9, 28)
"""Places across a lip that are looked at: 0 its inner contour, 1 its outer one."""
RED_FROM = 0.3
"""Places from which on the lip's own red is looked for."""
SMALLEST, LARGEST = 0.12, (0.7, 0.3)
"""Share of a lip's thickness that is not trusted at its inner edge, at least, and at most of the
upper and of the lower lip; the lower one shines, and is rarely missed by the tracker."""
MARGIN = 0.1
"""How much further than the last pixel that is no lip, in thicknesses of the lip."""
TELLING_RED = 0.02
"""Least difference in redness between lip and teeth that tells them apart."""
DARK_SHARE = 0.7
"""Luma, as a share of the lip's, below which a pixel is the dark of the mouth."""
SHUT = 0.03
"""Opening over width up to which the lips are shut and their contours trusted."""


def lip_trims(
    image: np.ndarray, upper: tuple[np.ndarray, np.ndarray], lower: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each lip's thickness that is not lip at its inner edge, twice [n] float32.

    Args:
        image: [S, S, 3] uint8 RGB portrait.
        upper: inner and outer contour of the upper lip from corner to corner, [n, 2] float32 px.
        lower: those of the lower lip, in step.
    """
    above, below = upper[0], lower[0]
    n = len(above)
    opened = np.linalg.norm(below[n // 2] - above[n // 2]) / np.linalg.norm(above[-1] - above[0])
    if opened < SHUT:
        shut = np.full(n, SMALLEST, np.float32)
        return shut, shut
    lips = [
        _seen(image, inner + STEPS[:, None, None] * (outer - inner))
        for inner, outer in (upper, lower)
    ]
    teeth = _seen(image, above + np.linspace(0.3, 0.7, 5)[:, None, None] * (below - above))[:, 2:-2]
    inside = np.concatenate([lip[STEPS >= RED_FROM, 1:-1].reshape(-1, 2) for lip in lips])
    lip_red, lip_luma = np.percentile(inside[:, 0], 70), np.median(inside[:, 1])
    teeth_red = np.median(teeth[..., 0])
    limit = (lip_red + teeth_red) / 2 if lip_red - teeth_red > TELLING_RED else -np.inf
    upper_trim, lower_trim = (
        _end((lip[..., 0] < limit) | (lip[..., 1] < DARK_SHARE * lip_luma), largest)
        for lip, largest in zip(lips, LARGEST, strict=True)
    )
    return upper_trim, lower_trim


def _seen(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Redness 0..1 and luma 0..255 at places [..., 2] px, [..., 2]."""
    where = np.moveaxis(at, -1, 0)[::-1]
    colour = np.stack(
        [map_coordinates(image[..., c].astype(np.float32), where, order=1) for c in range(3)], -1
    )
    luma = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    red = (colour[..., 0] - colour[..., 1]) / np.maximum(colour.sum(-1), 1)
    return np.stack([red, luma], -1)


def _end(strange: np.ndarray, largest: float) -> np.ndarray:
    """Where the run of strange pixels that starts at the inner contour ends, [steps, n] -> [n]."""
    run = np.logical_and.accumulate(strange | (STEPS < SMALLEST)[:, None], axis=0)
    ends = STEPS[run.sum(0) - 1] + np.where(strange[STEPS < SMALLEST].any(0), MARGIN, 0)
    return np.clip(median_filter(ends, 3, mode="nearest"), SMALLEST, largest).astype(np.float32)
