"""The eyes behind the lids: the portrait's own eyes, which neither squeeze nor move when lids do.

Each eye is drawn between its lid contours with soft edges, sampled from the portrait where the
head, not the lids, has carried it; gaze shifts the sample, and lids opened wider than in the
portrait stretch it a little.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from models.lite.mouth import across_at

# fmt: off
EYES = (
    (np.array([33, 246, 161, 160, 159, 158, 157, 173, 133]),
     np.array([33, 7, 163, 144, 145, 153, 154, 155, 133])),
    (np.array([362, 398, 384, 385, 386, 387, 388, 466, 263]),
     np.array([362, 382, 381, 380, 374, 373, 390, 249, 263])),
)
# fmt: on
"""Upper and lower lid contours, from left to right, of the eyes at image left and image right."""
GAZE_REACH = 0.09
"""How far the pupil moves at gaze 1, inter-ocular distances."""


def draw_eyes(
    out: np.ndarray,
    pixels: np.ndarray,
    target: np.ndarray,
    carried: np.ndarray,
    source: np.ndarray,
    gaze_px: np.ndarray,
) -> None:
    """Draw both eyes.

    Args:
        out: [H, W, 3] uint8 RGB, changed in place.
        pixels: [H, W, 4] uint8, the portrait.
        target: [468, 2] float32 px, where the lids are now.
        carried: [468, 2] float32 px, where the head has carried the resting face.
        source: [468, 2] float32 px, where the face is in the portrait.
        gaze_px: [2] float32 px, how far the pupils have moved from where they look in the portrait.
    """
    for above, below in EYES:
        rim = np.concatenate([above, below])
        back = _affine(carried[rim], source[rim])
        wider = _opening(target, above, below) / max(_opening(carried, above, below), 1e-3)
        middle = carried[rim].mean(0)
        _draw_eye(
            out,
            pixels,
            target[above],
            target[below],
            middle.astype(np.float32),
            back.astype(np.float32),
            np.float32(max(wider, 1.0)),
            gaze_px.astype(np.float32),
        )


def _affine(points: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The affine map [2, 3] that best takes points [n, 2] to images [n, 2], by least squares."""
    design = np.column_stack([points, np.ones(len(points))])
    return np.linalg.lstsq(design, images, rcond=None)[0].T


def _opening(points: np.ndarray, above: np.ndarray, below: np.ndarray) -> float:
    return float(np.linalg.norm(points[below[3:6]] - points[above[3:6]], axis=1).mean())


@njit(cache=True, nogil=True, fastmath=True)
def _draw_eye(
    out: np.ndarray,
    pixels: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    middle: np.ndarray,
    back: np.ndarray,
    wider: np.float32,
    gaze: np.ndarray,
) -> None:
    """One eye between its lids; `back` [2, 3] maps px of `out` to px of `pixels`."""
    n = above.shape[0]
    ax, ay = above[n - 1, 0] - above[0, 0], above[n - 1, 1] - above[0, 1]
    length = max(np.sqrt(ax * ax + ay * ay), np.float32(1e-3))
    ax, ay = ax / length, ay / length
    upper, lower = np.empty((n, 2), np.float32), np.empty((n, 2), np.float32)
    for i in range(n):
        for contour, local in ((above, upper), (below, lower)):
            dx, dy = contour[i, 0] - middle[0], contour[i, 1] - middle[1]
            local[i, 0], local[i, 1] = dx * ax + dy * ay, dy * ax - dx * ay
    left, top = min(above[:, 0].min(), below[:, 0].min()), min(above[:, 1].min(), below[:, 1].min())
    right = max(above[:, 0].max(), below[:, 0].max())
    bottom = max(above[:, 1].max(), below[:, 1].max())
    height, width = out.shape[:2]
    for y in range(max(0, int(top)), min(height, int(bottom) + 2)):
        for x in range(max(0, int(left)), min(width, int(right) + 2)):
            dx, dy = x - middle[0], y - middle[1]
            a, b = dx * ax + dy * ay, dy * ax - dx * ay
            high, low = across_at(upper, a), across_at(lower, a)
            cover = min(min(b - high, low - b) + np.float32(0.5), np.float32(1))
            cover *= min(max(low - high, np.float32(0)), np.float32(1))
            if cover <= 0:
                continue
            across = b / wider
            px = middle[0] + a * ax - across * ay - gaze[0]
            py = middle[1] + a * ay + across * ax - gaze[1]
            u = back[0, 0] * px + back[0, 1] * py + back[0, 2]
            v = back[1, 0] * px + back[1, 1] * py + back[1, 2]
            u = min(max(u, np.float32(0)), np.float32(width - 1.001))
            v = min(max(v, np.float32(0)), np.float32(height - 1.001))
            j, i = int(u), int(v)
            fu, fv = np.float32(u - j), np.float32(v - i)
            for ch in range(3):
                value = (pixels[i, j, ch] * (1 - fu) + pixels[i, j + 1, ch] * fu) * (1 - fv) + (
                    pixels[i + 1, j, ch] * (1 - fu) + pixels[i + 1, j + 1, ch] * fu
                ) * fv
                out[y, x, ch] = np.uint8(out[y, x, ch] * (1 - cover) + value * cover)
