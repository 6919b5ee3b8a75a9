"""Five measures of the mouth to weights of the expressions that speech uses.

Jaw, protrusion and tuck are weights of their own expression. What they leave of the width is met
by pucker or by stretch and smile, what is then left of the gap by parting the lips or by
`mouthClose`.
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

    gap, width: inter-ocular distances between the inner lips, and of the corners beyond their rest.
    jaw, funnel, tuck: weights of the expressions.
    """

    gap: float = 0.227
    width: float = 0.047
    jaw: float = 0.55
    funnel: float = 0.25
    tuck: float = 0.5


def gap_per_shape(rig: Rig) -> np.ndarray:
    """How far each of SPEECH_SHAPES opens the lips, [N] inter-ocular distances per weight."""
    dx, _ = speech_basis(rig)
    rise = dx[:, rig.point_of(LOWER_LIP), 1] - dx[:, rig.point_of(UPPER_LIP), 1]
    return rise.numpy()


def width_per_shape(rig: Rig) -> np.ndarray:
    """How far each of SPEECH_SHAPES parts the corners, [N] inter-ocular distances per weight."""
    dx, _ = speech_basis(rig)
    left, right = (rig.point_of(corner) for corner in CORNERS)
    return (dx[:, right, 0] - dx[:, left, 0]).numpy()


def shape_weights(measures: np.ndarray, rig: Rig, span: Range | None = None) -> np.ndarray:
    """Weights of SPEECH_SHAPES that show the measures, with exact gap and width.

    Args:
        measures: [T, 5] float32, `visemes.MEASURES`.
        rig: whose expressions they are.
        span: what a measure of 1 means.

    Returns:
        [T, N] float32, 0 or more.
    """
    span = span or Range()
    gap, jaw, spread, funnel, tuck = measures.T
    opens = dict(zip(SPEECH_SHAPES, gap_per_shape(rig), strict=True))
    widens = dict(zip(SPEECH_SHAPES, width_per_shape(rig), strict=True))
    weights = {name: np.zeros(len(measures), np.float32) for name in SPEECH_SHAPES}
    weights["jaw"] = jaw * span.jaw
    weights["funnel"] = funnel * span.funnel
    weights["roll lower"] = tuck * span.tuck
    weights["upper lip"] = tuck * span.tuck / 2
    rest = spread * span.width - sum(weights[name] * widens[name] for name in SPEECH_SHAPES)
    weights["pucker"] = np.minimum(rest, 0) / widens["pucker"]
    weights["stretch"] = weights["smile"] = np.maximum(rest, 0) / (
        widens["stretch"] + widens["smile"]
    )
    rest = gap * span.gap - sum(weights[name] * opens[name] for name in SPEECH_SHAPES)
    raised = np.maximum(rest, 0) / (opens["lower lip"] + 0.5 * opens["upper lip"])
    weights["lower lip"] = raised
    weights["upper lip"] = weights["upper lip"] + 0.5 * raised
    weights["close"] = np.minimum(rest, 0) / opens["close"]
    return np.stack([weights[name] for name in SPEECH_SHAPES], axis=1).astype(np.float32)
