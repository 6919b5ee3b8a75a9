"""The mesh of one portrait: the face at rest, and the head, hair and shoulders around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from models.lite.pose import PIVOT, HeadPose, to_face_frame

# fmt: off
FACE_OVAL = np.array([
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
])
"""Outline of the mesh, clockwise in the picture from the top of the forehead."""
# fmt: on
RINGS = (1.06, 1.15, 1.28, 1.45, 1.7, 2.0, 2.4)
"""Radii of the rings around the face, in radii of its outline."""
HEAD_RADIUS, STILL_RADIUS = 1.5, 2.5
"""Up to the first the surroundings move with the head; from the second on they stand still."""
DEPTH_RADIUS = 1.8
"""Radius where the surroundings are as deep as the head's axis: turning moves them least."""
NECK_LENGTH = 1.5
"""Inter-ocular distances below the chin over which the neck comes to rest."""
SKIN_REACH = 0.35
"""Inter-ocular distances over which the face's expression fades into its surroundings."""


class Surroundings(NamedTuple):
    """Vertices outside of the face; G of them.

    face: [G, 3] float32, in the face frame.
    follow: [G] float32 0..1, how far each goes with the head.
    oval_index, oval_weight: [G, 3] int64 and float32, the face vertices whose expression it shares.
    """

    face: np.ndarray
    follow: np.ndarray
    oval_index: np.ndarray
    oval_weight: np.ndarray


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, with zero slope at both ends."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def surround(landmarks: np.ndarray, own: HeadPose, size: int) -> Surroundings:
    """Lay rings around the face and a grid over the rest of the picture.

    Args:
        landmarks: [>=468, 3] float32 px.
        own: the portrait's pose.
        size: side of the picture, px.
    """
    oval = landmarks[FACE_OVAL, :2]
    centre = oval.mean(0)
    points = _outer_points(oval, centre, size)
    radius = _radius(points, oval, centre)
    backwards = smoothstep(radius, 1.0, DEPTH_RADIUS)
    rim_depth = landmarks[FACE_OVAL, 2] - _eye_depth(landmarks)
    near = cKDTree(oval).query(points)[1]
    depth = own.scale * PIVOT[2] * backwards + rim_depth[near] * (1 - backwards)
    face = _lift(np.column_stack([points, depth]), own)
    distance, index = cKDTree(oval).query(points, k=3)
    weight = 1 / (distance + 1e-3)
    weight *= np.exp(-((distance[:, :1] / (SKIN_REACH * own.scale)) ** 2)) / weight.sum(
        1, keepdims=True
    )
    return Surroundings(
        face.astype(np.float32),
        _follow(points, radius, landmarks, own, size).astype(np.float32),
        FACE_OVAL[index],
        weight.astype(np.float32),
    )


def _outer_points(oval: np.ndarray, centre: np.ndarray, size: int) -> np.ndarray:
    """Rings and grid points inside the picture and outside the face, px [G, 2]; the border last."""
    rings = np.concatenate([centre + r * (oval[::2] - centre) for r in RINGS])
    step = size / 14
    axis = np.linspace(0, size - 1, 15)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    border = (grid == 0).any(1) | (grid == size - 1).any(1)
    inside = ((rings > step / 3) & (rings < size - 1 - step / 3)).all(1)
    rings = rings[inside]
    far = _radius(grid, oval, centre) > 1.3
    clear = cKDTree(rings).query(grid)[0] > step * 0.5 if len(rings) else np.ones(len(grid), bool)
    return np.concatenate([rings, grid[~border & far & clear], grid[border]])


def _radius(points: np.ndarray, oval: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Distance from the centre in units of the outline's radius in the same direction, [G]."""
    arm, rim = points - centre, oval - centre
    angle = np.arctan2(rim[:, 1], rim[:, 0])
    order = np.argsort(angle)
    reach = np.interp(
        np.arctan2(arm[:, 1], arm[:, 0]),
        angle[order],
        np.linalg.norm(rim, axis=1)[order],
        period=2 * np.pi,
    )
    return np.linalg.norm(arm, axis=1) / np.maximum(reach, 1e-6)


def _follow(
    points: np.ndarray, radius: np.ndarray, landmarks: np.ndarray, own: HeadPose, size: int
) -> np.ndarray:
    """How far each point goes with the head: the skull fully, the neck ever less, the border 0."""
    skull = 1 - smoothstep(radius, HEAD_RADIUS, STILL_RADIUS)
    down = own.rotation[:2, 1] / np.linalg.norm(own.rotation[:2, 1])
    below = (points - landmarks[152, :2]) @ down / own.scale
    neck = 1 - smoothstep(below, -0.5, NECK_LENGTH)
    edge = np.minimum(points, size - 1 - points).min(1) / size
    return np.minimum(skull, neck) * smoothstep(edge, 0.0, 0.1)


def _eye_depth(landmarks: np.ndarray) -> float:
    return float(landmarks[[33, 263], 2].mean())


def _lift(points: np.ndarray, own: HeadPose) -> np.ndarray:
    """Picture points with a depth px [N, 3] into the face frame."""
    flat = points.copy()
    flat[:, :2] -= own.shift
    return (flat / own.scale) @ own.rotation


def face_vertices(landmarks: np.ndarray, own: HeadPose) -> np.ndarray:
    """The tracked mesh in the face frame, [468, 3] float32."""
    face = to_face_frame(landmarks[:468], own)
    return face.astype(np.float32)


def triangulate(points: np.ndarray, face_triangles: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Triangles of the whole picture [M, 3] int32: surroundings, then the face from back to front.

    Args:
        points: [N, 2] float px; the first 468 are the face, the others its surroundings.
        face_triangles: [F, 3], the mesh of the face.
        depth: [468] float, smaller is nearer.
    """
    outer = np.arange(468, len(points))
    used = np.concatenate([FACE_OVAL, outer])
    cells = used[Delaunay(points[used]).simplices]
    oval = points[FACE_OVAL]
    inside = _radius(points[cells].mean(1), oval, oval.mean(0)) < 1.0
    within = np.isin(cells, FACE_OVAL).all(1) & inside
    cells = cells[~within]
    order = np.argsort(-depth[face_triangles].mean(1))
    return np.concatenate([cells, face_triangles[order]]).astype(np.int32)
