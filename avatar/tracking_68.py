"""The second tracker: 68 points by face-alignment (Bulat and Tzimiropoulos 2017), BSD-licensed.

The mesh that the models need is the generic face laid on the 68 points and bent to meet them; of
the 52 expression scores only those are estimated that 68 points show. Coarser than MediaPipe, for
machines where that does not run.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from avatar.mediapipe_models import TrackerUnavailable
from avatar.presets import SHAPE_NAMES
from avatar.tracking import TrackedFace, pose_of

# fmt: off
MESH_OF_68 = np.array([
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,  # jaw line
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
])
"""The mesh point under each of the 68 points."""
# fmt: on
STEADY = np.r_[27:36, 36, 39, 42, 45]
"""Points of the 68 that expressions hardly move: nose and eye corners."""
EYES = ((33, 133), (362, 263))
IRIS_RADIUS = 0.066
"""Inter-ocular distances; a human iris is 11.7 mm wide."""
VERTICAL_VIEW_DEG = 63.0


class FaceAlignmentTracker:
    """face-alignment on the CPU; every picture is looked at by itself."""

    name = "face-alignment"

    def __init__(self) -> None:
        """Load the networks; raises TrackerUnavailable when package or weights cannot be had."""
        from models.lite.rig import load_rig

        self._network = _load_network()
        self._mesh = load_rig().mesh.numpy()

    def find_faces(self, rgb: np.ndarray) -> list[TrackedFace]:
        """See `avatar.tracking.FaceTracker`."""
        found = self._network.get_landmarks_from_image(np.ascontiguousarray(rgb)) or []
        faces = [face_from_68(points[:, :2], self._mesh, rgb.shape[:2]) for points in found]
        return sorted(faces, key=lambda face: -face.width)

    def settle_face(self, rgb: np.ndarray) -> TrackedFace | None:
        """See `avatar.tracking.FaceTracker`."""
        return next(iter(self.find_faces(rgb)), None)

    def follow_face(
        self, pictures: Iterator[np.ndarray]
    ) -> Generator[TrackedFace | None, None, None]:
        """See `avatar.tracking.FaceTracker`."""
        return (self.settle_face(rgb) for rgb in pictures)


def face_from_68(points: np.ndarray, mesh: np.ndarray, shape: tuple[int, ...]) -> TrackedFace:
    """A tracked face from 68 points.

    Args:
        points: [68, 2] px, Multi-PIE order.
        mesh: [468, 3] float32, the generic face; x image right, y down, z away, inter-ocular units.
        shape: height and width of the picture, px.
    """
    points = points.astype(np.float64)
    rotation, scale, shift = _lay_on(points[STEADY], mesh[MESH_OF_68[STEADY]].astype(np.float64))
    placed = scale * mesh @ rotation.T  # [468, 3] px
    placed[:, :2] += shift
    placed[:, :2] += _bend(placed[MESH_OF_68, :2], points, placed[:, :2])
    landmarks = np.concatenate([placed, *(_iris(placed, scale, eye) for eye in EYES)])
    return TrackedFace(
        landmarks.astype(np.float32),
        scores_of(placed, mesh, scale),
        _pose(rotation, scale, shift, shape),
    )


def scores_of(placed: np.ndarray, mesh: np.ndarray, scale: float) -> np.ndarray:
    """Rough expression scores [52] float32 0..1 of a mesh [468, 3] px, against the generic one."""

    def grown(a: int, b: int) -> float:
        now = np.linalg.norm(placed[a, :2] - placed[b, :2]) / scale
        return float(now - np.linalg.norm(mesh[a, :2] - mesh[b, :2]))

    lips = float(np.linalg.norm(placed[13, :2] - placed[14, :2])) / scale
    smile = grown(61, 291)
    scores: dict[str, float] = {
        "jawOpen": (lips - 0.03) / 0.4,
        "mouthSmileLeft": smile / 0.12,
        "mouthSmileRight": smile / 0.12,
        "mouthPucker": -smile / 0.12,
        "eyeBlinkRight": -grown(159, 145) / 0.06,
        "eyeBlinkLeft": -grown(386, 374) / 0.06,
        "browInnerUp": (grown(107, 133) + grown(336, 362)) / 0.2,
        "browDownRight": -grown(107, 133) / 0.1,
        "browDownLeft": -grown(336, 362) / 0.1,
    }
    row = np.zeros(len(SHAPE_NAMES), np.float32)
    for name, score in scores.items():
        row[SHAPE_NAMES.index(name)] = min(max(score, 0.0), 1.0)
    return row


def _load_network() -> Any:
    try:
        import face_alignment
    except ImportError as error:
        raise TrackerUnavailable(
            f"the tracker face-alignment is missing ({error}): "
            "pip install 'emotive-avatar[landmarks]'"
        ) from None
    try:
        kind = face_alignment.LandmarksType.TWO_D
        return face_alignment.FaceAlignment(kind, device="cpu", compile=False)
    except OSError as error:
        raise TrackerUnavailable(
            f"the weights of face-alignment could not be downloaded ({error}): "
            "go online once, or use --tracker mediapipe"
        ) from None


def _lay_on(points: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Weak perspective, points = shift + scale (R mesh)[:2]: R [3, 3], scale, shift [2] px."""
    centre = mesh.mean(0)
    linear = np.linalg.lstsq(mesh - centre, points - points.mean(0), rcond=None)[0].T  # [2, 3]
    u, s, vt = np.linalg.svd(linear, full_matrices=False)
    rows = u @ vt
    rotation = np.stack([*rows, np.cross(*rows)])
    scale = float(s.mean())
    return rotation, scale, points.mean(0) - scale * rows @ centre


def _bend(at: np.ndarray, wanted: np.ndarray, everywhere: np.ndarray) -> np.ndarray:
    """Shift [468, 2] px that takes the points `at` to `wanted` and is smooth in between."""
    from scipy.interpolate import RBFInterpolator

    return RBFInterpolator(at, wanted - at, kernel="thin_plate_spline", smoothing=0.1)(everywhere)


def _iris(placed: np.ndarray, scale: float, corners: tuple[int, int]) -> np.ndarray:
    """Five points [5, 3] px of an iris in the middle of its eye."""
    middle = placed[list(corners)].mean(0)
    around = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]])
    return middle + scale * IRIS_RADIUS * around


def _pose(
    rotation: np.ndarray, scale: float, shift: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Head pose [6] float32 as `avatar.tracking.pose_of` gives it."""
    flip = np.diag([1.0, -1.0, -1.0])  # this frame has y down and z away, the camera's y up
    transform = np.eye(4)
    transform[:3, :3] = flip @ rotation @ flip
    pose = pose_of(transform)
    height, width = shape[:2]
    focal = height / 2 / np.tan(np.radians(VERTICAL_VIEW_DEG / 2))
    pose[3:5] = (shift - (width / 2, height / 2)) / scale
    pose[5] = -focal / scale
    return pose
