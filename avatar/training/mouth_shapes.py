"""Five measures of the mouth to weights of the rig's expressions, so that the lip gap is met exactly.

The weights of a shape that the jaw, the corners and the protrusion leave over are solved for: a gap too
small opens by raising and lowering the lips, a gap too large closes by `mouthClose`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lite.motion import SPEECH_SHAPES, speech_basis
from models.lite.rig import Rig

UPPER_LIP, LOWER_LIP, CORNERS = 13, 14, (61, 291)
"""Mesh vertices in the middle of the inner lips and in the corners of the mouth."""


@dataclass(frozen=True)
class Range:
    """What a measure of 1 means.

    gap: inter-ocular distances between the inner lips.
    jaw, spread, pucker, funnel: weights of the expressions.
    """

    gap: float = 0.24
    jaw: float = 0.45
    spread: float = 0.5
    pucker: float = 0.7
    funnel: float = 0.35


def gap_per_shape(rig: Rig) -> np.ndarray:
    """How far each of SPEECH_SHAPES opens the lips, [N] float32, inter-ocular distances per weight."""
    dx, _ = speech_basis(rig)
    rise = dx[:, rig.point_of(LOWER_LIP), 1] - dx[:, rig.point_of(UPPER_LIP), 1]
    return rise.numpy()


def width_per_shape(rig: Rig) -> np.ndarray:
    """How far each of SPEECH_SHAPES parts the corners, [N] float32, inter-ocular distances per weight."""
    dx, _ = speech_basis(rig)
    left, right = (rig.point_of(corner) for corner in CORNERS)
    return (dx[:, right, 0] - dx[:, left, 0]).numpy()


def shape_weights(measures: np.ndarray, gaps: np.ndarray, span: Range | None = None) -> np.ndarray:
    """Weights of SPEECH_SHAPES that show the measures.

    Args:
        measures: [T, 5] float32, `visemes.MEASURES`.
        gaps: from `gap_per_shape`.
        span: what a measure of 1 means.

    Returns:
        [T, N] float32.
    """
    span = span or Range()
    gap, jaw, spread, funnel, tuck = measures.T
    opening = dict(zip(SPEECH_SHAPES, gaps, strict=True))
    weights = {name: np.zeros(len(measures), np.float32) for name in SPEECH_SHAPES}
    weights["jaw"] = jaw * span.jaw
    weights["stretch"] = np.maximum(spread, 0) * span.spread * 0.6
    weights["smile"] = np.maximum(spread, 0) * span.spread * 0.4
    weights["pucker"] = np.maximum(-spread, 0) * span.pucker
    weights["funnel"] = funnel * span.funnel
    weights["roll lower"] = tuck * 0.5
    weights["upper lip"] = tuck * 0.25
    rest = gap * span.gap - sum(weights[name] * opening[name] for name in SPEECH_SHAPES)
    apart = np.maximum(rest, 0) / (opening["lower lip"] + 0.5 * opening["upper lip"])
    weights["lower lip"] = apart
    weights["upper lip"] = weights["upper lip"] + 0.5 * apart
    weights["close"] = np.minimum(rest, 0) / opening["close"]
    return np.stack([weights[name] for name in SPEECH_SHAPES], axis=1).astype(np.float32)
