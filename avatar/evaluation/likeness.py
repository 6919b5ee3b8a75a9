"""How like a made clip is to the real one of the same person: landmarks and pixels.

Both are tracked anew, so an error of the driving track counts too.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from avatar.evaluation.footage import track_face
from avatar.media import read_pictures
from avatar.tracking import FaceTracker
from models.lite.contours import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from models.lite.mesh import face_vertices
from models.lite.pose import fit_pose

LIPS = np.unique(np.concatenate([INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER]))
CROP, CROP_EYES, CROP_EYE_LINE = 256, 96, 100
"""Side of the compared face, distance of its outer eye corners and their row, px."""
MOUTH = (slice(140, 212), slice(80, 176))
"""Rows and columns of the mouth in it."""
EVERY = 5
"""Pixels are compared in every fifth picture."""


class Likeness(NamedTuple):
    """Figures of one clip.

    f_lmd, m_lmd: mean distance of the mesh and of the lips after the heads are laid upon each
        other, per cent of the inter-ocular distance.
    ssim_face, ssim_mouth: structural similarity of upright faces, -1..1.
    sharpness: variance of the Laplacian over the real clip's.
    """

    f_lmd: float
    m_lmd: float
    ssim_face: float
    ssim_mouth: float
    sharpness: float


def compare(
    made: Path, real: Path, real_landmarks: np.ndarray, mesh: np.ndarray, tracker: FaceTracker
) -> Likeness:
    """Compare two clips that are in step.

    Args:
        made: the generated clip.
        real: the footage.
        real_landmarks: [T, 478, 3] float32 px, of the footage at 25 a second.
        mesh: [468, 3] float32, the generic face.
        tracker: who finds the face in the generated clip.

    Raises:
        ValueError: the made clip shows no face.
    """
    landmarks = track_face(made, tracker, follow=True)[0]
    T = min(len(landmarks), len(real_landmarks))
    a, b = (_in_face_frame(clip[:T], mesh) for clip in (landmarks, real_landmarks))
    apart = 100 * np.linalg.norm(a - b, axis=-1).mean(0)
    faces = zip(_upright(made, landmarks[:T]), _upright(real, real_landmarks[:T]), strict=False)
    pixels = np.array([_pixel_figures(x, y) for x, y in faces])
    face, mouth = pixels[:, 0].mean(), pixels[:, 1].mean()
    sharp = np.median(pixels[:, 2]) / max(float(np.median(pixels[:, 3])), 1e-9)
    return Likeness(float(apart.mean()), float(apart[LIPS].mean()), face, mouth, float(sharp))


def _in_face_frame(landmarks: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    return np.stack([face_vertices(frame, fit_pose(frame, mesh)) for frame in landmarks])


def _upright(path: Path, landmarks: np.ndarray) -> list[np.ndarray]:
    """Every fifth face of a clip on the 25 Hz grid, upright, [CROP, CROP] uint8 grey."""
    wanted = {k: None for k in range(0, len(landmarks), EVERY)}
    faces = []
    for time, picture in read_pictures(path):
        k = round(time * 25)
        if k in wanted:
            del wanted[k]
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            faces.append(_align(grey, landmarks[k]))
    return faces


def _align(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    right, left = landmarks[33], landmarks[263]
    zoom = CROP_EYES / np.linalg.norm(left - right)
    angle = np.arctan2(left[1] - right[1], left[0] - right[0])
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([CROP / 2, CROP_EYE_LINE]) - turn @ ((left + right) / 2)[:2]
    matrix = np.hstack([turn, shift[:, None]])
    return cv2.warpAffine(
        picture, matrix, (CROP, CROP), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _pixel_figures(made: np.ndarray, real: np.ndarray) -> list[float]:
    """SSIM of the face and of the mouth, and the sharpness of both."""
    from skimage.metrics import structural_similarity

    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    face, mouth = (
        structural_similarity(made[box], real[box], data_range=255, **options)
        for box in (..., MOUTH)
    )
    return [face, mouth, *(float(cv2.Laplacian(x, cv2.CV_64F).var()) for x in (made, real))]
