"""Taking the speech out of an emotional clip: actors emote while they talk.

Shapes fall into three groups. What a face wears (brows, lids, cheeks, nose, corners of the mouth)
is kept and smoothed a little. What talking also moves (pressing, stretching, raising the upper lip)
is kept as its median over a second. What talking is made of (jaw, rounding, lips) counts as emotion
only as far as it lasts through a second in which a talking mouth would have closed: an open-mouthed
surprise. Blinks and looks are treated likewise, since the pose source has its own.
"""

from __future__ import annotations

import numpy as np

from avatar.presets import SHAPE_NAMES
from models.talking_head import FaceTrack

WINDOW_FRAMES = 25
LASTING_PERCENTILE = 20.0
WORN_SIGMA_FRAMES = 2.0
SLOW_SIGMA_FRAMES = 6.0

SPOKEN = (
    "jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthRoll",
    "mouthLeft", "mouthRight", "eyeBlink", "eyeLook",
)  # fmt: skip
SHARED = ("mouthPress", "mouthStretch", "mouthUpperUp", "mouthShrug", "mouthDimple")


def without_speech(track: FaceTrack) -> FaceTrack:
    """The emotional part of a clip's track, with the same rows; nothing is delayed.

    Args:
        track: T rows of a clip at 25 frames a second.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter, percentile_filter

    scores = track.blendshapes
    window = (min(WINDOW_FRAMES, len(scores)), 1)
    spoken, shared = _columns(SPOKEN), _columns(SHARED)
    slow = scores.copy()
    slow[:, spoken] = percentile_filter(
        scores[:, spoken], LASTING_PERCENTILE, size=window, mode="mirror"
    )
    slow[:, shared] = median_filter(scores[:, shared], size=window, mode="mirror")
    worn = gaussian_filter1d(scores, WORN_SIGMA_FRAMES, axis=0, mode="mirror")
    slow = gaussian_filter1d(slow, SLOW_SIGMA_FRAMES, axis=0, mode="mirror")
    kept = np.where(spoken | shared, slow, worn)
    return track._replace(blendshapes=np.clip(kept, 0, 1).astype(np.float32))


def _columns(prefixes: tuple[str, ...]) -> np.ndarray:
    """[52] bool, the shapes whose names start so."""
    return np.array([name.startswith(prefixes) for name in SHAPE_NAMES])
