"""Measures of a face, from its mesh: how high the brows are, how open the eyes, how wide the mouth.

The tracker's scores take what a person's face is like for granted and read lowered brows, wrinkled
noses and bared teeth poorly; distances on its mesh show them, beside what differs between people.
"""

from __future__ import annotations

import numpy as np

from models.lite.pose import fit_pose

HEIGHT, DEPTH, LENGTH = 1, 2, -1
"""What of the way from one vertex to the other is measured; the first two are axes of the face
frame, down and away."""

# fmt: off
MEASURES: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {
    "inner brows over eyes": (HEIGHT, ((107, 133), (336, 362))),
    "brows over eyes": (HEIGHT, ((105, 159), (334, 386))),
    "outer brows over eyes": (HEIGHT, ((70, 33), (300, 263))),
    "fall of the brows": (HEIGHT, ((107, 105), (336, 334))),
    "between the brows": (LENGTH, ((55, 285),)),
    "opening of the eyes": (HEIGHT, ((159, 145), (386, 374))),
    "lower lids under the corners": (HEIGHT, ((33, 145), (133, 145), (263, 374), (362, 374))),
    "wings of the nose under the eyes": (HEIGHT, ((133, 129), (362, 358))),
    "width of the nose": (LENGTH, ((129, 358),)),
    "lip under the nose": (HEIGHT, ((2, 0),)),
    "lip under the wings": (HEIGHT, ((129, 39), (358, 269))),
    "upper lip": (HEIGHT, ((0, 13),)),
    "lower lip": (HEIGHT, ((14, 17),)),
    "opening of the lips": (HEIGHT, ((13, 14),)),
    "squareness of the opening": (HEIGHT, ((81, 178), (311, 402), (14, 13), (14, 13))),
    "width of the mouth": (LENGTH, ((61, 291),)),
    "width of the opening": (LENGTH, ((78, 308),)),
    "corners under the lip": (HEIGHT, ((13, 61), (13, 291))),
    "corners under the nose": (HEIGHT, ((2, 61), (2, 291))),
    "chin under the lip": (HEIGHT, ((17, 152),)),
    "lower lip under the nose": (HEIGHT, ((2, 17),)),
    "chin under the nose": (HEIGHT, ((2, 152),)),
    "cheeks under the eyes": (HEIGHT, ((145, 205), (374, 425))),
    "cheeks behind the nose": (DEPTH, ((2, 205), (2, 425))),
}
# fmt: on
"""What is measured and between which vertices; the mean of several."""
EYE_CORNERS = (33, 263)


def measure_faces(landmarks: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The measures of faces, the head's turn taken out.

    Args:
        landmarks: [T, >= 468, 3] float32 px, z in the scale of x and smaller when nearer.
        mesh: [468, 3] float32, the generic face in the face frame.

    Returns:
        [T, M] float32, inter-ocular distances, in the order of MEASURES.
    """
    return np.array([_measure(face, mesh) for face in landmarks], np.float32)


def _measure(face: np.ndarray, mesh: np.ndarray) -> list[float]:
    upright = face[: len(mesh)] @ fit_pose(face, mesh).rotation
    left, right = EYE_CORNERS
    upright = upright / np.linalg.norm(upright[left] - upright[right])
    return [_distance(upright, axis, pairs) for axis, pairs in MEASURES.values()]


def _distance(face: np.ndarray, axis: int, pairs: tuple[tuple[int, int], ...]) -> float:
    a, b = np.array(pairs).T
    way = face[b] - face[a]
    return float((np.linalg.norm(way, axis=-1) if axis == LENGTH else way[:, axis]).mean())
