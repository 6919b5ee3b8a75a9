"""The sides of a face, which a portrait shows at a slant.

There many triangles share a few px of the portrait, some even lie folded behind others. When the
head turns they open, and would show ear, hair or background on the cheek. They are given the skin
beside them instead.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array

from models.lite.mesh import smoothstep

SLANT = (0.05, 0.45)
"""Cosine between skin and line of sight below and above which a vertex is not or fully trusted."""
TURN = (4.0, 12.0)
"""Degrees that the head turns until the sides begin and cease to open."""
SIDE = (0.6, 0.8)
"""Radii, in those of the face's outline, between which the sides begin."""
BACKDROP = (25.0, 75.0)
"""Grey levels by which the background and what is surely not the background differ."""
EDGE_SIGMA = 2.0
"""Blur of that difference at a portrait of 512, px: the outline of a face is not sharp."""
RIM = (0.75, 0.9)
"""Radii from which on a face may be taken for background."""
CAMOUFLAGE = (0.02, 0.1)
"""Likeness of the middle of a face to the background from which on colour does not tell them."""
OWN_SHARE = 0.15
"""How far a vertex that is not trusted stays where it is; the rest is its neighbours' mean."""
ROUNDS = 30


def unfold_sides(
    source: np.ndarray,
    camera: np.ndarray,
    triangles: np.ndarray,
    radius: np.ndarray,
    backdrop: np.ndarray,
) -> np.ndarray:
    """Where the vertices of a face take their skin from: doubtful ones from their neighbours.

    Args:
        source: [V, 2] float px, where they are in the portrait.
        camera: [V, 3] float, the same face seen from the camera, z smaller when nearer.
        triangles: [F, 3], the mesh.
        radius: [V] float, distance from the middle of the face, in radii of its outline.
        backdrop: [V] float 0..1, how much the portrait shows background there.

    Returns:
        [V, 2] float px.
    """
    slanted = 1 - smoothstep(facing(camera, triangles), *SLANT)
    doubt = np.maximum((1 - OWN_SHARE) * slanted * smoothstep(radius, *SIDE), backdrop)
    edges = np.concatenate([triangles[:, [i, j]] for i in range(3) for j in range(3) if i != j])
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (len(source),) * 2).tocsr()
    links.data[:] = 1
    count = np.maximum(links.sum(axis=1), 1)[:, None]
    out = source.astype(np.float64)
    for _ in range(ROUNDS):
        out += doubt[:, None] * (links @ out / count - out) + (1 - doubt)[:, None] * (source - out)
    return out.astype(np.float32)


def shown_backdrop(
    image: np.ndarray, background: np.ndarray, points: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """How much a portrait shows background at the vertices of a face whose outline is too wide.

    Args:
        image: [S, S, 3] uint8 RGB portrait.
        background: [S, S, 3] uint8 RGB, the same without the person.
        points: [V, 2] float px.
        radius: [V] float, distance from the middle of the face, in radii of its outline.

    Returns:
        [V] float, 0 on the face .. 1 on the background; zeros where the face has its colour.
    """
    size = image.shape[0]
    away = np.abs(image.astype(np.float32) - background).max(-1)
    x, y = np.clip(np.rint(points).astype(int), 0, size - 1).T
    alike = 1 - smoothstep(gaussian_filter(away, EDGE_SIGMA * size / 512)[y, x], *BACKDROP)
    told = 1 - smoothstep(alike[radius < RIM[0]].mean(), *CAMOUFLAGE)
    return told * alike * smoothstep(radius, *RIM)


def turned(pose: np.ndarray) -> float:
    """How far a head in a pose [>= 3] degrees shows skin that the portrait does not, 0..1."""
    return float(smoothstep(np.abs(pose[:2]).max(), *TURN))


def facing(camera: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Cosine between the skin's normal and the line of sight at every vertex, [V]."""
    a, b, c = (camera[triangles[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    normals = np.zeros_like(camera)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], flat)
    cosine = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    return cosine * np.sign(np.median(cosine))
