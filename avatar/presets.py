"""Emotions by name: faces described by the muscles that make them.

Each face is the prototype of the Facial Action Coding System's emotion tables (Ekman, Friesen and
Hager 2002), its action units written as the ARKit-style shapes that stand for them, with weights in
the range of scores that MediaPipe's FaceLandmarker gives. They were set by eye, and by what three
emotion classifiers name, on fourteen to 24 public-domain portraits: clear, and not so wild that the
person is lost.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from models.talking_head import FaceTrack

# fmt: off
SHAPE_NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)
# fmt: on
"""The 52 scores of MediaPipe's FaceLandmarker, in its order."""

_FACES: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {  # AU 6 + 12 + 25
        "mouthSmile": 0.80,
        "cheekSquint": 0.40,
        "mouthUpperUp": 0.25,
        "mouthLowerDown": 0.08,
        "mouthDimple": 0.10,
    },
    "sad": {  # AU 1 + 4 + 15 + 17 + 43
        "browInnerUp": 0.49,
        "browDown": 0.65,
        "mouthFrown": 0.48,
        "mouthShrugLower": 0.34,
        "eyeBlink": 0.26,
        "mouthLowerDown": 0.14,
        "mouthRollLower": 0.06,
    },
    "angry": {  # AU 4 + 9 + 10 + 22 + 25 + 26
        "browDown": 0.56,
        "noseSneer": 0.39,
        "mouthUpperUp": 0.55,
        "mouthLowerDown": 0.42,
        "mouthFunnel": 0.24,
        "mouthFrown": 0.45,
        "jawOpen": 0.08,
    },
    "surprised": {  # AU 1 + 2 + 5 + 25 + 26
        "browInnerUp": 0.20,
        "browOuterUp": 0.30,
        "eyeWide": 0.74,
        "mouthFunnel": 0.20,
        "mouthFrown": 0.10,
        "jawOpen": 0.14,
    },
    "fear": {  # AU 1 + 4 + 5 + 15 + 20 + 25
        "browInnerUp": 0.43,
        "browDown": 0.42,
        "eyeWide": 0.62,
        "mouthStretch": 0.13,
        "mouthLowerDown": 0.41,
        "mouthUpperUp": 0.21,
        "mouthFrown": 0.53,
        "mouthFunnel": 0.03,
        "mouthShrugLower": 0.08,
        "jawOpen": 0.08,
    },
    "disgusted": {  # AU 4 + 9 + 10 + 15 + 16 + 17 + 20
        "noseSneer": 0.50,
        "mouthUpperUp": 0.42,
        "mouthLowerDown": 0.16,
        "mouthFunnel": 0.08,
        "browDown": 0.26,
        "eyeSquint": 0.46,
        "mouthFrown": 0.59,
        "mouthShrugLower": 0.31,
        "mouthStretch": 0.15,
    },
    "contempt": {  # AU 12 + 14 on one side
        "mouthSmileLeft": 0.55,
        "mouthDimpleLeft": 0.50,
        "mouthPressLeft": 0.25,
        "mouthPressRight": 0.15,
        "eyeSquint": 0.25,
        "browDownLeft": 0.15,
        "browOuterUpRight": 0.15,
    },
}
"""Weights by shape; a name without a side stands for both sides."""


def face_scores(weights: dict[str, float]) -> np.ndarray:
    """Shape weights, for one side or both, as a row of scores.

    Args:
        weights: 0 .. 1 by shape; `browDown` sets `browDownLeft` and `browDownRight`.

    Returns:
        [52] float32.

    Raises:
        ValueError: a shape is unknown.
    """
    row = np.zeros(len(SHAPE_NAMES), np.float32)
    for name, weight in weights.items():
        places = [
            i for i, s in enumerate(SHAPE_NAMES) if s in (name, name + "Left", name + "Right")
        ]
        if not places:
            raise ValueError(f"unknown face shape {name!r}")
        row[places] = weight
    return row


PRESETS = MappingProxyType(
    {
        name: FaceTrack(
            face_scores(weights)[None], np.zeros((1, 6), np.float32), name=name, literal=True
        )
        for name, weights in _FACES.items()
    }
)
"""Tracks of one row by emotion name; `neutral` is all zeros."""
