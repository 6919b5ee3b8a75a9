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
ROUND = (0.4, 0.75, 0.92, 1.0)
"""Where rings lie between the face's outline, 0, and the outline of the head, 1."""
BEYOND = (0.12, 0.35, 0.7, 1.1)
"""Radii of the rings around the head beyond its own, in radii of the face's outline."""
HEAD_RADII = (1.05, 1.55)
"""Smallest and largest radius that the outline of a head may have above its jaw."""
BEHIND_OUTLINE = 0.1
"""How far beyond its visible outline the head's rings go on, radii: its edge does not fold."""
NECK_RADIUS = 1.3
"""Radius below the jaw at which the head ends."""
SIDE_DEPTH = 1.0
"""How deep the outline of the head lies beside the face, at its ears, inter-ocular distances; read
off the neutral head of ICT-FaceKit. PIVOT[2] above."""
HAIR = (1.2, 1.35)
"""Radii of the head's outline up to which it shows ears, and from which on full hair."""
HAIR_DEPTH, HAIR_BEND = 0.6, 2.5
"""How deep the outline of full hair lies beside the face, inter-ocular distances, and the power
with which it bends back there: most of it lies beside the cheeks."""
HEAD_AXES = np.array([0.86, 1.25, 1.08])
"""Half the width, height and length of a head, inter-ocular distances; those of ICT-FaceKit's."""
BEHIND_JAW = 0.05
"""Radii beyond the jaw's outline within which the surface drops to the neck."""
THROAT_DEPTH, NECK_SIDE_DEPTH, NECK_SLOPE = 0.33, 0.78, 0.3
"""How deep the neck lies under the chin and under the jaw's corners, inter-ocular distances, and
how much deeper a radius further down; read off the neutral head of ICT-FaceKit."""
JAW_CORNER = 0.6
"""Distance of the jaw's corners from the middle, in half heights of the face's outline."""
NECK_LENGTH = 1.0
"""Inter-ocular distances from the chin down to the pit of the throat, where the neck is at rest."""
MARGIN = 0.2
"""How far the mesh goes on beside and below the picture, in its sides: bodies do not end there."""
SKIN_REACH = 0.35
"""Inter-ocular distances over which the face's expression fades into its surroundings."""


class Surroundings(NamedTuple):
    """Vertices outside of the face; G of them.

    face: [G, 3] float32, in the face frame.
    follow: [G] float32 0..1, how far each turns with the head; all move along with it.
    free: [G] float32 0..1, how far each moves at all: hair at the upper border stays there.
    oval_index, oval_weight: [G, 3] int64 and float32, the face vertices whose expression it shares.
    """

    face: np.ndarray
    follow: np.ndarray
    free: np.ndarray
    oval_index: np.ndarray
    oval_weight: np.ndarray


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, with zero slope at both ends."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def surround(landmarks: np.ndarray, own: HeadPose, matte: np.ndarray) -> Surroundings:
    """Lay rings around the face and a grid over the rest of the picture.

    The head is round: between the outline of the face and its own, which the matte shows, its top
    and full hair bend away and bare sides run straight back. The neck lies behind the jaw.

    Args:
        landmarks: [>=468, 3] float32 px.
        own: the portrait's pose.
        matte: [S, S] uint8, 255 where the person is.
    """
    size = matte.shape[0]
    oval = landmarks[FACE_OVAL, :2]
    centre = oval.mean(0)
    outline = head_outline(oval, centre, matte)
    points = _outer_points(oval, centre, outline + BEHIND_OUTLINE, size)
    radius = _radius(points, oval, centre)
    rim = landmarks[FACE_OVAL, 2] - _eye_depth(landmarks)
    near, edge, end, bend, neck, below = _around(
        points,
        oval,
        centre,
        rim,
        *_outline(oval, centre, outline, own),
        *_neck(oval, centre, own),
    )
    away = np.clip((radius - 1) / (edge - 1), 0, 1)
    depth = near + (end - near) * away**bend
    drop = below * np.clip((radius - 1) / BEHIND_JAW, 0, 1)
    depth += drop * (neck + NECK_SLOPE * own.scale * np.clip(radius - 1, 0, 1) - depth)
    face = _lift(np.column_stack([points, depth]), own)
    distance, index = cKDTree(oval).query(points, k=3)
    weight = 1 / (distance + 1e-3)
    weight *= np.exp(-((distance[:, :1] / (SKIN_REACH * own.scale)) ** 2)) / weight.sum(
        1, keepdims=True
    )
    return Surroundings(
        face.astype(np.float32),
        _follow(points, landmarks, own).astype(np.float32),
        smoothstep(points[:, 1] / size, 0.0, 0.1).astype(np.float32),
        FACE_OVAL[index],
        weight.astype(np.float32),
    )


def head_outline(oval: np.ndarray, centre: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Radius at which the head ends in the direction of each point of the face's outline, [36].

    In radii of that outline; below the jaw, where the matte goes on, NECK_RADIUS.
    """
    radii = np.linspace(1.0, HEAD_RADII[1], 40)
    at = centre + radii[:, None, None] * (oval - centre)
    x, y = np.rint(at).astype(int).clip(0, matte.shape[0] - 1).transpose(2, 0, 1)
    outside = matte[y, x] < 128
    ends = np.where(outside.any(0), radii[outside.argmax(0)], HEAD_RADII[1])
    below = (oval - centre)[:, 1] / np.abs((oval - centre)[:, 1]).max()
    ends = np.where(below > 0.35, NECK_RADIUS, np.maximum(ends, HEAD_RADII[0]))
    rolled = [np.roll(ends, shift) for shift in range(-3, 4)]
    return np.average(rolled, axis=0, weights=(1, 2, 3, 4, 3, 2, 1))


def _outline(
    oval: np.ndarray, centre: np.ndarray, outline: np.ndarray, own: HeadPose
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the head ends in the direction of each point of the face's outline, three of [36].

    Its radius, its depth there in px, and the power of the way there with which that depth grows.
    """
    up = (centre - oval)[:, 1] / np.abs((oval - centre)[:, 1]).max()
    beside, up = np.abs(up) < 0.3, np.clip(up, 0, 1)
    above = np.minimum(1.5 * up, 1)
    hair = smoothstep(outline, *HAIR)
    hair *= 1 - above * (1 - hair[beside].mean())
    side = SIDE_DEPTH + hair * (HAIR_DEPTH - SIDE_DEPTH)
    bend = 1 + above + hair * (HAIR_BEND - 1 - above)
    depth = own.scale * (side + (PIVOT[2] - side) * up) + outline * ((oval - centre) @ _tilt(own))
    return outline + hair * BEHIND_OUTLINE, depth, bend


def _tilt(own: HeadPose) -> np.ndarray:
    """Slope, in x and y, of the plane in which the outline of a turned ellipsoid lies, [2]."""
    shape = own.rotation @ np.diag(HEAD_AXES**-2.0) @ own.rotation.T
    return -shape[2, :2] / shape[2, 2]


def _neck(oval: np.ndarray, centre: np.ndarray, own: HeadPose) -> tuple[np.ndarray, np.ndarray]:
    """Depth of the neck in the direction of each point of the face's outline, px, and its share."""
    x, y = ((oval - centre) / np.abs((oval - centre)[:, 1]).max()).T
    aside = np.clip(np.abs(x) / JAW_CORNER, 0, 1)
    depth = own.scale * (THROAT_DEPTH + (NECK_SIDE_DEPTH - THROAT_DEPTH) * aside)
    return depth, smoothstep(y, 0.3, 0.5)


def _around(
    points: np.ndarray, oval: np.ndarray, centre: np.ndarray, *values: np.ndarray
) -> list[np.ndarray]:
    """What is known in the directions of the outline [36], in those of other points [N]."""
    arm, rim = points - centre, oval - centre
    angle = np.arctan2(rim[:, 1], rim[:, 0])
    order = np.argsort(angle)
    towards = np.arctan2(arm[:, 1], arm[:, 0])
    return [np.interp(towards, angle[order], v[order], period=2 * np.pi) for v in values]


def _outer_points(
    oval: np.ndarray, centre: np.ndarray, outline: np.ndarray, size: int
) -> np.ndarray:
    """Rings and grid points outside the face, px [G, 2]; the border last."""
    arm, gap = oval - centre, outline[:, None] - 1
    rings = np.concatenate(
        [centre + (1 + BEHIND_JAW) * arm]
        + [centre + (1 + t * gap) * arm for t in ROUND]
        + [(centre + (outline[:, None] + r) * arm)[::2] for r in BEYOND]
    )
    step = size / 14
    axis = np.linspace(0, size - 1, 15)
    low, high = -MARGIN * size, (1 + MARGIN) * size
    wide, tall = np.concatenate([[low], axis, [high]]), np.concatenate([axis, [high]])
    grid = np.stack(np.meshgrid(wide, tall), -1).reshape(-1, 2)
    border = (grid == low).any(1) | (grid == high).any(1) | (grid[:, 1] == 0)
    inside = (rings[:, 1] > step / 3) & (rings > -step).all(1) & (rings < size - 1 + step).all(1)
    rings = rings[inside]
    far = _radius(grid, oval, centre) > 1.3
    clear = cKDTree(rings).query(grid)[0] > step * 0.5 if len(rings) else np.ones(len(grid), bool)
    return np.concatenate([rings, grid[~border & far & clear], grid[border]])


def oval_radius(points: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Distance of points [N, 2] px from the middle of a face [468, 2], in outline radii, [N]."""
    oval = face[FACE_OVAL]
    return _radius(points, oval, oval.mean(0))


def _radius(points: np.ndarray, oval: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Distance from the centre in units of the outline's radius in the same direction, [G]."""
    (reach,) = _around(points, oval, centre, np.linalg.norm(oval - centre, axis=1))
    return np.linalg.norm(points - centre, axis=1) / np.maximum(reach, 1e-6)


def _follow(points: np.ndarray, landmarks: np.ndarray, own: HeadPose) -> np.ndarray:
    """How far each point turns with the head: the skull fully, the neck ever less, the body not."""
    down = own.rotation[:2, 1] / np.linalg.norm(own.rotation[:2, 1])
    below = (points - landmarks[152, :2]) @ down / own.scale
    return 1 - smoothstep(below, -0.5, NECK_LENGTH)


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
    """Triangles of the whole picture [M, 3] int32: surroundings, then the face, from back to front.

    Args:
        points: [N, 2] float px; the first 468 are the face, the others its surroundings.
        face_triangles: [F, 3], the mesh of the face.
        depth: [N] float, smaller is nearer.
    """
    outer = np.arange(468, len(points))
    used = np.concatenate([FACE_OVAL, outer])
    cells = used[Delaunay(points[used]).simplices]
    oval = points[FACE_OVAL]
    inside = _radius(points[cells].mean(1), oval, oval.mean(0)) < 1.0
    within = np.isin(cells, FACE_OVAL).all(1) & inside
    ordered = [t[np.argsort(-depth[t].mean(1))] for t in (cells[~within], face_triangles)]
    return np.concatenate(ordered).astype(np.int32)
