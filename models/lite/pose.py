"""Rigid motion of the head: fitting the portrait's own pose, turning the head about the neck."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.talking_head import POSE_DIMS

PIVOT = np.array([0.0, 1.1, 0.95], np.float32)
"""Where the head turns, in the face frame: inside the skull, towards the neck."""

UNTURNED = np.repeat([0, 1], [3, POSE_DIMS - 3]).astype(np.float32)
"""What of a pose the body shares: where the head is, not how it is turned."""

# fmt: off
RIGID = np.array([33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 127, 356, 10, 67, 297, 103, 332])
"""Mesh vertices that expressions hardly move."""
# fmt: on


class HeadPose(NamedTuple):
    """Weak perspective: px = shift + scale * (rotation @ face point)[:2].

    rotation: [3, 3] float32; scale: px per inter-ocular distance; shift: [2] float32 px.
    """

    rotation: np.ndarray
    scale: float
    shift: np.ndarray


def rotation_matrix(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Head rotation from degrees, [3, 3] float32, in axes x right, y down, z away.

    Positive yaw turns the nose to image right, positive pitch nods down, positive roll lifts the
    image-right eye.
    """
    (cy, sy), (cp, sp), (cr, sr) = (
        (np.cos(np.radians(a)), np.sin(np.radians(a))) for a in (yaw, pitch, roll)
    )
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return (turn @ nod @ tilt).astype(np.float32)


def fit_pose(landmarks: np.ndarray, mesh: np.ndarray) -> HeadPose:
    """The similarity that lays the generic face on tracked landmarks (Umeyama 1991).

    Args:
        landmarks: [>=468, 3] float32 px, z in the scale of x and smaller when nearer.
        mesh: [468, 3] float32, the generic face in the face frame.
    """
    a, b = mesh[RIGID].astype(np.float64), landmarks[RIGID].astype(np.float64)
    ca, cb = a - a.mean(0), b - b.mean(0)
    u, s, vt = np.linalg.svd(cb.T @ ca)
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ sign @ vt
    scale = float((s * np.diag(sign)).sum() / (ca**2).sum())
    shift = b.mean(0) - scale * rotation @ a.mean(0)
    return HeadPose(rotation.astype(np.float32), scale, shift[:2].astype(np.float32))


def to_face_frame(points: np.ndarray, pose: HeadPose) -> np.ndarray:
    """Landmarks in px back in the face frame, [N, 3] float32 -> [N, 3] float32.

    The depth of the landmarks has no origin of its own; it is set to zero between the eye corners.
    """
    flat = points.astype(np.float32).copy()
    flat[:, :2] -= pose.shift
    face = (flat / pose.scale) @ pose.rotation
    depth = (face[33, 2] + face[263, 2]) / 2 if len(face) > 263 else 0.0
    return face - depth / pose.rotation[2, 2] * pose.rotation[2]


def place(face: np.ndarray, own: HeadPose, pose: np.ndarray) -> np.ndarray:
    """Where face-frame points lie in the picture when the head moves away from the portrait's pose.

    Args:
        face: [N, 3] float32, face frame.
        own: the portrait's pose.
        pose: [>= 6] float32, POSE_DIMS of the contract; zeros leave the portrait's own pose.

    Returns:
        [N, 2] float32 px.
    """
    turn = rotation_matrix(*pose[:3])
    pivot = own.rotation @ PIVOT
    camera = (face @ own.rotation.T - pivot) @ turn.T + pivot
    camera[:, :2] += pose[3:5]
    return own.shift + own.scale * (1.0 + pose[5]) * camera[:, :2]


def carry(points: np.ndarray, follow: np.ndarray, own: HeadPose, pose: np.ndarray) -> np.ndarray:
    """Where points lie that turn partly with the head and move along with it, [N, 2] float32 px.

    Args:
        points: [N, 3] float32, face frame.
        follow: [N] float32 0..1, how far each turns.
        own: the portrait's pose.
        pose: [POSE_DIMS] float32.
    """
    body = place(points, own, pose * UNTURNED)
    return body + follow[:, None] * (place(points, own, pose) - body)


def project(face: np.ndarray, own: HeadPose) -> np.ndarray:
    """Face-frame points [N, 3] where the portrait has them, px [N, 2]."""
    return own.shift + own.scale * (face @ own.rotation.T)[:, :2]


def unplace(flat: np.ndarray, depth: np.ndarray, own: HeadPose, pose: np.ndarray) -> np.ndarray:
    """Where in the face frame points are that `place` puts at known px, if their depth is known.

    Args:
        flat: [N, 2] float32 px.
        depth: [N] float32, their z in the face frame.
        own: the portrait's pose.
        pose: [>= 6] float32, POSE_DIMS of the contract.

    Returns:
        [N, 2] float32, their x and y in the face frame.
    """
    turn = rotation_matrix(*pose[:3])
    pivot = own.rotation @ PIVOT
    whole = turn @ own.rotation
    camera = (flat - own.shift) / (own.scale * (1.0 + pose[5])) - pose[3:5]
    known = depth[:, None] * whole[:2, 2] + (pivot - turn @ pivot)[:2]
    return (camera - known) @ np.linalg.inv(whole[:2, :2]).T


def pose_between(own: HeadPose, other: HeadPose) -> np.ndarray:
    """The pose that carries a head from one fitted pose to another, the inverse of `place`.

    Returns:
        [6] float32, the first six of POSE_DIMS.
    """
    turn = other.rotation @ own.rotation.T
    yaw = np.degrees(np.arctan2(-turn[0, 2], turn[2, 2]))
    pitch = np.degrees(np.arcsin(np.clip(-turn[1, 2], -1, 1)))
    roll = np.degrees(np.arctan2(-turn[1, 0], turn[1, 1]))
    pivot = own.rotation @ PIVOT
    moved = (other.shift - own.shift) / other.scale + (turn @ pivot - pivot)[:2]
    return np.array([yaw, pitch, roll, *moved, other.scale / own.scale - 1], np.float32)
