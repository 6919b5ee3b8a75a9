"""Folds of the skin that come and go with an expression: frown, forehead, nose and smile lines.

A warp moves skin but cannot fold it, and people read a lowered brow by the folds it throws. Each
fold is a dark line beside a light ridge, laid on the portrait in its own pixels, so that it moves
with the skin; how deep it is follows from how far the mesh has moved. A portrait that smiles has
smile lines of its own (`models/lite/own_smile.py`): they fade as the face moves to rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

# fmt: off
FROWN = (
    ((193, 8, 0.45), (55, 8, 0.40), (107, 9, 0.36), (107, 151, 0.28)),
    ((417, 8, 0.45), (285, 8, 0.40), (336, 9, 0.36), (336, 151, 0.28)),
)
BETWEEN = (((55, 285, 0.20), (55, 285, 0.50), (55, 285, 0.80)),)
NOSE = (
    ((193, 122, 0.2), (168, 6, 0.4), (417, 351, 0.2)),
    ((188, 196, 0.0), (122, 6, 0.45), (193, 168, 0.8)),
    ((412, 419, 0.0), (351, 6, 0.45), (417, 168, 0.8)),
)
SMILE = (
    ((129, 203, 0.1), (203, 206, 0.3), (206, 216, 0.3), (216, 212, 0.4)),
    ((358, 423, 0.1), (423, 426, 0.3), (426, 436, 0.3), (436, 432, 0.4)),
)
# fmt: on
"""Lines of a fold as points between two mesh vertices: (from, to, share of the way)."""
FOREHEAD_HEIGHTS = (0.5, 0.85)
"""Heights of the forehead's lines, from the brows (0) towards the hair (1)."""
BROW_INNER, BROW_OUTER = (107, 336, 66, 296), (105, 334, 63, 293)
WINGS, CORNERS = (129, 358), (61, 291)
FULL_FROWN, FULL_RAISE, FULL_SNEER, FULL_SMILE, OWN_SMILE = 0.055, 0.08, 0.07, 0.11, 0.06
"""Inter-ocular distances that brows, wings of the nose and corners move at a fold's deepest."""
LEAST_SMILE = 0.015
"""Least way of the corners, inter-ocular distances, over which a portrait's own smile fades."""
PULLED_DOWN = (0.02, 0.04)
"""Ways down of the corners over which a mouth folds the skin beside it as its smile did, as in
grief and fear. Speech pulls them down by 0.02."""
FULL_DRAWN, FULL_KNOT = 0.018, 0.035
"""The same for brows that frown while they rise, as in grief and fear: nearer, and up."""
DEPTH = {"frown": 0.20, "between": 0.09, "nose": 0.10, "forehead": 0.12, "smile": 0.13}
"""Share of the light that the deepest fold takes."""
WIDTH = 0.012
"""Standard deviation of a fold across, inter-ocular distances."""
TINT = (0.75, 1.05, 1.2)
"""How much of a fold's depth each colour takes: light that skin throws into a fold is red."""
RIDGE = 0.15
"""How much lighter the skin beside a fold is, in depths of the fold."""


class Fold(NamedTuple):
    """One family of folds.

    top, left: corner of its patch in the portrait, px.
    shade: [h, w, 3] float32, change of brightness at full depth, negative in the fold.
    """

    top: int
    left: int
    shade: np.ndarray


class Wrinkles(NamedTuple):
    """The folds of one portrait.

    own: its own smile lines, as the change of brightness that takes them away.
    smiled: how far its own mouth corners are above their rest, inter-ocular distances.
    """

    frown: Fold
    nose: Fold
    centre: Fold
    sides: Fold
    smile: Fold
    own: Fold
    smiled: float


def fit_wrinkles(
    landmarks: np.ndarray, scale: float, size: int, own: Fold, smiled: float = 0.0
) -> Wrinkles:
    """Lay the folds on a portrait.

    Args:
        landmarks: [>= 468, >= 2] float32 px.
        scale: px per inter-ocular distance.
        size: side of the portrait, px.
        own: what takes the portrait's own smile lines away.
        smiled: how far the portrait's mouth corners are above their rest, inter-ocular distances.
    """
    p = landmarks[:, :2]
    frown = _fold(_lines(p, FROWN), scale, size, DEPTH["frown"])
    hollow = _fold(_lines(p, BETWEEN), scale, size, DEPTH["between"], 3 * WIDTH)
    centre, sides = _forehead(p, scale, size)
    return Wrinkles(
        frown=_joined(frown, hollow),
        nose=_fold(_lines(p, NOSE), scale, size, DEPTH["nose"]),
        centre=centre,
        sides=sides,
        smile=_fold(_lines(p, SMILE), scale, size, DEPTH["smile"], 1.5 * WIDTH),
        own=own,
        smiled=smiled,
    )


def _lines(p: np.ndarray, lines: tuple) -> list[np.ndarray]:
    return [np.array([p[a] + (p[b] - p[a]) * share for a, b, share in line]) for line in lines]


def _forehead(p: np.ndarray, scale: float, size: int) -> tuple[Fold, Fold]:
    """Lines across the forehead: what the inner brows fold, and what the outer ones fold."""
    brow, hair = p[[105, 66, 9, 296, 334]], p[[104, 69, 151, 299, 333]]
    lines = [brow + (hair - brow) * share for share in FOREHEAD_HEIGHTS]
    whole = _fold(lines, scale, size, DEPTH["forehead"])
    y, x = np.mgrid[: whole.shade.shape[0], : whole.shade.shape[1]].astype(np.float32)
    axis = brow[4] - brow[0]
    at = np.stack([x + whole.left, y + whole.top], -1) - p[9]
    across = np.abs(at @ axis) / (axis @ axis)  # 0 in the middle, 0.5 at the outer brow
    middle = np.exp(-0.5 * (across / 0.17) ** 2)[..., None].astype(np.float32)
    return whole._replace(shade=whole.shade * middle), whole._replace(
        shade=whole.shade * (1 - middle)
    )


def _fold(
    lines: list[np.ndarray], scale: float, size: int, depth: float, width: float = WIDTH
) -> Fold:
    """Shade of polylines px: a dark core between two light ridges, fading towards its ends."""
    fold = empty_fold(np.concatenate(lines), 6 * width * scale, size)
    grid = places(fold)
    for line in lines:
        distance, along = _to_polyline(grid, line)
        d = distance / (width * scale)
        profile = 0.7 * np.exp(-0.5 * d**2) + 0.3 * np.exp(-0.5 * (d / 2.5) ** 2)
        profile -= RIDGE * np.exp(-0.5 * ((d - 4) / 1.5) ** 2)
        ends = np.clip(4 * along * (1 - along), 0, 1)
        fold.shade[...] -= (depth * profile * np.sqrt(ends))[..., None] * np.array(TINT, np.float32)
    return fold


def empty_fold(points: np.ndarray, margin: float, size: int) -> Fold:
    """An empty fold around points px."""
    left, top = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(points.max(0) + margin), size - 1).astype(int)
    return Fold(int(top), int(left), np.zeros((bottom - top, right - left, 3), np.float32))


def places(fold: Fold) -> np.ndarray:
    """Places of a fold's pixels in the portrait, [h, w, 2] float32."""
    height, width = fold.shade.shape[:2]
    x = np.arange(fold.left, fold.left + width)
    y = np.arange(fold.top, fold.top + height)
    return np.stack(np.meshgrid(x, y), -1).astype(np.float32)


def _joined(a: Fold, b: Fold) -> Fold:
    """One fold with the shades of both."""
    top, left = min(a.top, b.top), min(a.left, b.left)
    bottom = max(f.top + f.shade.shape[0] for f in (a, b))
    right = max(f.left + f.shade.shape[1] for f in (a, b))
    shade = np.zeros((bottom - top, right - left, 3), np.float32)
    for f in (a, b):
        h, w = f.shade.shape[:2]
        shade[f.top - top : f.top - top + h, f.left - left : f.left - left + w] += f.shade
    return Fold(top, left, shade)


def _to_polyline(grid: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance px of grid points [h, w, 2] to a polyline [n, 2], and how far along it, 0..1."""
    distance = np.full(grid.shape[:2], np.inf, np.float32)
    along = np.zeros(grid.shape[:2], np.float32)
    parts = len(line) - 1
    for i in range(parts):
        step = line[i + 1] - line[i]
        t = np.clip(((grid - line[i]) @ step) / max(float(step @ step), 1e-6), 0, 1)
        d = np.linalg.norm(grid - line[i] - t[..., None] * step, axis=-1)
        nearer = d < distance
        distance[nearer], along[nearer] = d[nearer], ((i + t) / parts)[nearer]
    return distance, along


def folded(pixels: np.ndarray, wrinkles: Wrinkles, moved: np.ndarray) -> np.ndarray:
    """A copy of the portrait with the folds of an expression.

    Args:
        pixels: [S, S, 4] uint8, premultiplied.
        wrinkles: the folds of this portrait.
        moved: [468, 2] float32, how far the mesh has moved right and down from its rest,
            inter-ocular distances.

    Returns:
        [S, S, 4] uint8.
    """
    inner, outer, wings, corners = (
        float(moved[list(group), 1].mean()) for group in (BROW_INNER, BROW_OUTER, WINGS, CORNERS)
    )
    knot = min(_drawn_together(moved) / FULL_DRAWN, -inner / FULL_KNOT)
    out = pixels.copy()
    _apply(out, wrinkles.frown, max(inner / FULL_FROWN, knot))
    _apply(out, wrinkles.nose, -wings / FULL_SNEER)
    _apply(out, wrinkles.centre, -inner / FULL_RAISE)
    _apply(out, wrinkles.sides, -outer / FULL_RAISE)
    _apply(out, wrinkles.smile, (max(-corners, -wings) - max(wrinkles.smiled, 0)) / FULL_SMILE)
    rested = min(
        (wrinkles.smiled + corners) / np.clip(wrinkles.smiled, LEAST_SMILE, OWN_SMILE), 1.0
    )
    _apply(out, wrinkles.own, rested * float(np.interp(corners, PULLED_DOWN, (1.0, 0.0))))
    return out


def _drawn_together(moved: np.ndarray) -> float:
    """How much nearer the inner ends of the brows are, inter-ocular distances."""
    left, right = BROW_INNER[:2]
    return float(moved[left, 0] - moved[right, 0])


def _apply(out: np.ndarray, fold: Fold, amount: float) -> None:
    amount = min(max(amount, 0.0), 1.3)
    if amount < 0.02:
        return
    height, width = fold.shade.shape[:2]
    patch = out[fold.top : fold.top + height, fold.left : fold.left + width]
    _shade(patch, fold.shade, np.float32(amount))


@njit(cache=True, nogil=True, fastmath=True)
def _shade(patch: np.ndarray, shade: np.ndarray, amount: np.float32) -> None:
    for y in range(patch.shape[0]):
        for x in range(patch.shape[1]):
            for ch in range(3):
                light = patch[y, x, ch] * (1 + amount * shade[y, x, ch])
                patch[y, x, ch] = np.uint8(min(max(light, 0), patch[y, x, 3]))
