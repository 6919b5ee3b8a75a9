"""The dark line where closed lips meet, in a portrait whose own lips were apart.

Lips that were cut along their inner edges and laid together again meet without the shadow that
a camera sees between lips; without it a closed mouth looks pale, and trackers take it for parted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

REACH = 0.012
"""How far the shadow reaches onto each lip, inter-ocular distances."""
DARKNESS = 0.45
"""Share of the light that the line takes away in its middle."""
APART = (0.01, 0.05)
"""Opening over width of a portrait's own lips from which on the line is drawn, and drawn wholly."""
FADED = 0.06
"""Opening, inter-ocular distances, at which the inside of the mouth has taken the line's place."""


def seam_of(lips: np.ndarray) -> float:
    """How much of the line a portrait lacks, 0..1: inner edges of its lips, [2, n, 2] px."""
    width = np.linalg.norm(lips[0, -1] - lips[0, 0])
    opened = np.linalg.norm(lips[1] - lips[0], axis=1).max() / max(float(width), 1e-6)
    return float(np.clip((opened - APART[0]) / (APART[1] - APART[0]), 0, 1))


@njit(cache=True, nogil=True, fastmath=True)
def draw_seam(
    out: np.ndarray, above: np.ndarray, below: np.ndarray, px: float, strength: float
) -> None:
    """Darken the lips along the line between them.

    Args:
        out: [H, W, 3] uint8 RGB, changed in place.
        above: [n, 2] float32 px, inner contour of the upper lip, from image left to right.
        below: [n, 2] float32 px, inner contour of the lower lip; the ends are shared.
        px: inter-ocular distance in px.
        strength: 0..1, from `seam_of`.
    """
    height, width = out.shape[:2]
    reach = max(REACH * px, 0.8)
    for i in range(above.shape[0] - 1):
        x0, x1 = (above[i, 0] + below[i, 0]) / 2, (above[i + 1, 0] + below[i + 1, 0]) / 2
        for x in range(max(0, int(np.ceil(x0))), min(width, int(np.ceil(x1)))):
            t = (x - x0) / (x1 - x0)
            top = above[i, 1] + t * (above[i + 1, 1] - above[i, 1])
            bottom = below[i, 1] + t * (below[i + 1, 1] - below[i, 1])
            ends = min(min(x - above[0, 0], above[-1, 0] - x) / (4 * reach), 1.0)
            left = strength * ends * DARKNESS * (1 - (bottom - top) / (FADED * px))
            if left <= 0:
                continue
            for y in range(max(0, int(top - reach)), min(height, int(bottom + reach) + 2)):
                away = max(max(top - y, y - bottom), 0.0) / reach
                if away < 1:
                    keep = 1 - left * (1 - away)
                    for c in range(3):
                        out[y, x, c] = np.uint8(out[y, x, c] * keep)
