"""Emotions by name: faces described by the muscles that make them.

Each face is the prototype of the Facial Action Coding System's emotion tables (Ekman, Friesen and
Hager 2002), its action units written as the ARKit-style shapes that stand for them, with weights in
the range that MediaPipe's FaceLandmarker gives to a face that is clearly but not wildly emotional.
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
        "cheekSquint": 0.25,
        "eyeSquint": 0.30,
        "mouthUpperUp": 0.25,
        "mouthDimple": 0.10,
        "jawOpen": 0.02,
    },
    "sad": {  # AU 1 + 4 + 11 + 15 + 17
        "browInnerUp": 0.60,
        "browDown": 0.20,
        "mouthFrown": 0.50,
        "mouthShrugLower": 0.25,
        "eyeSquint": 0.20,
    },
    "angry": {  # AU 4 + 5 + 7 + 23 + 24
        "browDown": 0.95,
        "eyeSquint": 0.25,
        "eyeWide": 0.25,
        "noseSneer": 0.30,
        "mouthPress": 0.35,
        "mouthFrown": 0.45,
        "mouthRollLower": 0.20,
        "mouthShrugLower": 0.10,
    },
    "surprised": {  # AU 1 + 2 + 5 + 26
        "browInnerUp": 0.62,
        "browOuterUp": 0.65,
        "eyeWide": 0.65,
        "mouthFunnel": 0.15,
        "jawOpen": 0.08,
    },
    "fear": {  # AU 1 + 2 + 4 + 5 + 20 + 26
        "browInnerUp": 0.65,
        "browOuterUp": 0.20,
        "browDown": 0.35,
        "eyeWide": 0.65,
        "mouthStretch": 0.28,
        "mouthFrown": 0.15,
        "jawOpen": 0.03,
    },
    "disgusted": {  # AU 9 + 10 + 15 + 17
        "noseSneer": 0.65,
        "mouthUpperUp": 0.50,
        "browDown": 0.45,
        "eyeSquint": 0.40,
        "cheekSquint": 0.30,
        "mouthFrown": 0.30,
        "mouthShrugLower": 0.20,
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
        name: FaceTrack(face_scores(weights)[None], np.zeros((1, 6), np.float32))
        for name, weights in _FACES.items()
    }
)
"""Tracks of one row by emotion name; `neutral` is all zeros."""
