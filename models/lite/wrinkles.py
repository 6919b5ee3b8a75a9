"""Folds of the skin that come with an expression: frown lines, a furrowed forehead, smile lines.

A warp moves skin but cannot fold it, and people read a lowered brow by the folds it throws. Each
fold is a soft dark line with a light ridge, laid on the portrait in its own pixels, so that it
moves with the skin; how deep it is follows from the key points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# fmt: off
FROWN = (((55, 8, 0.50), (107, 9, 0.42)), ((285, 8, 0.50), (336, 9, 0.42)))
SMILE = ((129, 203, 206, 216), (358, 423, 426, 436))
# fmt: on
BROW_INNER = (107, 336, 66, 296)
CORNERS = (61, 291)
FULL_BROW, FULL_SMILE = 0.07, 0.09
"""Inter-ocular distances that brows and mouth corners move when a fold is at its deepest."""
DEPTH = {"frown": 0.20, "forehead": 0.11, "smile": 0.08}
"""Share of the light that the deepest fold takes."""
WIDTH = 0.028
"""Standard deviation of a fold across, inter-ocular distances."""


class Fold(NamedTuple):
    """One family of folds.

    top, left: corner of its patch in the portrait, px.
    shade: [h, w, 1] float32, change of brightness at full depth, negative in the fold.
    """

    top: int
    left: int
    shade: np.ndarray


class Wrinkles(NamedTuple):
    """The folds of one portrait."""

    frown: Fold
    forehead: Fold
    smile: Fold


def fit_wrinkles(landmarks: np.ndarray, scale: float, size: int) -> Wrinkles:
    """Lay the folds on a portrait.

    Args:
        landmarks: [>= 468, >= 2] float32 px.
        scale: px per inter-ocular distance.
        size: side of the portrait, px.
    """
    p = landmarks[:, :2]
    frown = [np.array([_between(p, *a), _between(p, *b)]) for a, b in FROWN]
    smile = [p[list(points)] for points in SMILE]
    return Wrinkles(
        _fold(frown, scale, size, DEPTH["frown"]),
        _fold(_forehead_lines(p), scale, size, DEPTH["forehead"]),
        _fold(smile, scale, size, DEPTH["smile"]),
    )


def _between(p: np.ndarray, a: int, b: int, share: float) -> np.ndarray:
    return p[a] + (p[b] - p[a]) * share


def _forehead_lines(p: np.ndarray) -> list[np.ndarray]:
    """Two lines across the forehead, from temple to temple, px."""
    brow, hair = p[[105, 66, 9, 296, 334]], p[[104, 69, 151, 299, 333]]
    return [brow + (hair - brow) * share for share in (0.55, 0.95)]


def _fold(lines: list[np.ndarray], scale: float, size: int, depth: float) -> Fold:
    """Shade of polylines px: a dark core between two light ridges, fading towards its ends."""
    margin = 6 * WIDTH * scale
    corners = np.concatenate(lines)
    left, top = np.maximum(np.floor(corners.min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(0) + margin), size - 1).astype(int)
    pixels = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), -1)
    grid = pixels.astype(np.float32)
    shade = np.zeros(grid.shape[:2], np.float32)
    for line in lines:
        distance, along = _to_polyline(grid, line)
        d = distance / (WIDTH * scale)
        profile = np.exp(-0.5 * d**2) - 0.35 * np.exp(-0.5 * (d - 2.2) ** 2)
        ends = np.clip(4 * along * (1 - along), 0, 1)
        shade -= depth * profile * np.sqrt(ends)
    return Fold(int(top), int(left), shade[..., None])


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


def folded(pixels: np.ndarray, wrinkles: Wrinkles, brow: float, smile: float) -> np.ndarray:
    """A copy of the portrait with its folds.

    Args:
        pixels: [S, S, 4] uint8, premultiplied.
        wrinkles: the folds of this portrait.
        brow: how far the inner brows have moved down, inter-ocular distances; up is negative.
        smile: how far the mouth's corners have moved up, inter-ocular distances.

    Returns:
        [S, S, 4] uint8.
    """
    out = pixels.copy()
    _apply(out, wrinkles.frown, brow / FULL_BROW)
    _apply(out, wrinkles.forehead, -brow / FULL_BROW)
    _apply(out, wrinkles.smile, smile / FULL_SMILE)
    return out


def _apply(out: np.ndarray, fold: Fold, amount: float) -> None:
    amount = min(max(amount, 0.0), 1.3)
    if amount < 0.02:
        return
    height, width = fold.shade.shape[:2]
    patch = out[fold.top : fold.top + height, fold.left : fold.left + width]
    light = patch[..., :3] * (1 + amount * fold.shade)
    patch[..., :3] = np.minimum(np.maximum(light, 0), patch[..., 3:]).astype(np.uint8)
