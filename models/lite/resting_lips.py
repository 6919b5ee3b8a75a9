"""Lips at rest: the mouth of a portrait closed, whatever it did when the picture was taken."""

from __future__ import annotations

import numpy as np

from models.lite.contours import INNER_LOWER, INNER_UPPER, LIP_ROWS, OUTER_LOWER, OUTER_UPPER

LIPS = ((INNER_UPPER, LIP_ROWS[0], OUTER_UPPER), (INNER_LOWER, LIP_ROWS[1], OUTER_LOWER))
LIP_SPREAD_REACH = 0.06
"""Inter-ocular distances over which spreading the lips moves the skin around them."""
LEAST_THICKNESS = 0.5
"""Share of its thickness in the portrait that a lip keeps at least when it is closed."""
UPPER_GIVES = 0.1
"""Share of the gap by which the upper lip comes down.

Where a portrait shows its upper teeth, their edge lies 0.022 inter-ocular distances (median of 34)
below the upper lip that is left when the smile is off, as in a face at rest: it has to stay there.
"""
CLOSING_REACH = 0.22
"""Inter-ocular distances over which closing the lips of the portrait moves the skin around them."""


def rest_lips(face: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """A face with its lips at rest.

    Args:
        face: [468, 3] float32, the tracked face without its expression, face frame.
        tracked: [468, 3] float32, the face as it is in the portrait.

    Returns:
        [468, 3] float32, lips closed and their vertices in order.
    """
    return lay_rows(close_lips(even_lips(face, tracked)), tracked)


def even_lips(face: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """The face [468, 3] with its lips spread from corner to corner as in the tracked face.

    The rig's smile narrows the mouth more beside its middle than there; taken off a broad smile it
    would leave the lips' vertices crowded in the middle, and a pointed mouth when they open.
    """
    out = face.copy()
    rims = (INNER_UPPER, INNER_LOWER, OUTER_UPPER, OUTER_LOWER)
    places = np.concatenate([rim[1:-1] for rim in rims])
    wanted = np.concatenate([_spread(face, rim, _shares(tracked, rim))[1:-1] for rim in rims])
    away = face[:, None, :2] - face[places, :2]
    weight = np.exp(-((away**2).sum(-1)) / LIP_SPREAD_REACH**2)
    shift = (weight * (wanted - face[places, 0])).sum(1) / np.maximum(weight.sum(1), 1e-6)
    out[:, 0] += shift * weight.max(1)
    out[places, 0] = wanted
    return out


def _shares(face: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """Where a contour's vertices lie between its ends, [n] 0..1."""
    x = face[rim, 0]
    return (x - x[0]) / (x[-1] - x[0])


def _spread(face: np.ndarray, rim: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Across-coordinates of a contour whose vertices lie at shares of its width, [n]."""
    left, right = face[rim[0], 0], face[rim[-1], 0]
    return left + shares * (right - left)


def close_lips(face: np.ndarray) -> np.ndarray:
    """The face [468, 3] with its lips just touching: the lower lip comes up to the upper one."""
    gap = (face[INNER_LOWER, 1] - face[INNER_UPPER, 1])[1:-1]
    out = face.copy()
    for rim, share in ((INNER_UPPER[1:-1], UPPER_GIVES), (INNER_LOWER[1:-1], UPPER_GIVES - 1)):
        away = face[:, None, :2] - face[rim, :2]
        weight = np.exp(-((away**2).sum(-1)) / CLOSING_REACH**2)
        side = _lip_side(face, rim[len(rim) // 2] == 13)
        pull = (weight * gap).sum(1) / np.maximum(weight.sum(1), 1e-6)
        out[:, 1] += share * pull * weight.max(1) * side
    out[INNER_UPPER] = out[INNER_LOWER] = face[INNER_UPPER] + UPPER_GIVES * (
        face[INNER_LOWER] - face[INNER_UPPER]
    )
    return out


def lay_rows(face: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """The face [468, 3] with its lips' contours and rows in order, as in the tracked face.

    Closing moves them by the openings around them, at the corners of the mouth by too much.
    """
    out = face.copy()
    for side, (inner, rows, outer) in zip((-1, 1), LIPS, strict=True):
        thick = side * (out[outer, 1] - out[inner, 1])
        least = LEAST_THICKNESS * side * (tracked[outer, 1] - tracked[inner, 1])
        out[outer[1:-1], 1] += side * np.maximum(least - thick, 0)[1:-1]
        for row in rows:
            share = row_share(tracked[:, :2], inner, row, outer)[:, None]
            out[row, :2] = out[inner, :2] + share * (out[outer, :2] - out[inner, :2])
    return out


def row_share(
    points: np.ndarray, inner: np.ndarray, row: np.ndarray, outer: np.ndarray
) -> np.ndarray:
    """How far vertices of a row lie from the inner contour to the outer one, [n] 0..1."""
    across = points[outer] - points[inner]
    along = ((points[row] - points[inner]) * across).sum(1)
    return np.clip(along / np.maximum((across**2).sum(1), 1e-9), 0, 1)


def _lip_side(face: np.ndarray, upper: bool) -> np.ndarray:
    """1 for the vertices above (or below) the line between the lips, 0 for the others, [468]."""
    line = np.interp(
        face[:, 0], face[INNER_UPPER, 0], (face[INNER_UPPER, 1] + face[INNER_LOWER, 1]) / 2
    )
    return (face[:, 1] <= line + 1e-6) if upper else (face[:, 1] >= line - 1e-6)
