"""The rig of model `lite`: key points on the face mesh, and the linear skinning that moves it.

Everything lives in the face's own frame: x to image right, y down, z away from the camera, origin
midway between the outer eye corners, unit the distance between them. Fitted by
`avatar/training/rig.py` to the expression basis of ICT-FaceKit on MediaPipe's mesh.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from models.checkpoints import load_tensors


class Rig(NamedTuple):
    """The fitted tensors; K key points, V = 468 mesh vertices, E = 53 expressions.

    shape_names: E names of the expressions (ARKit without tongueOut, brow and cheek split in two).
    point_indices: [K] int64, the mesh vertex under each key point.
    x: [K, 2] float32, key points of the generic neutral face; their jacobians are the identity.
    dx: [E, K, 2] float32, displacement of the key points at weight 1 of each expression.
    dj: [E, K, 2, 2] float32, change of the jacobians at weight 1 of each expression.
    mesh: [V, 3] float32, the generic neutral face.
    skin_index: [V, 8] int64, the key points that move each vertex.
    skin_weight: [V, 8] float32, by how much; the weights of a vertex sum to 1.
    triangles: [898, 3] int64, the mesh with its openings filled.
    score_names: 52 names of the tracker's blendshape scores.
    score_gain: [E] float32, expression weight per unit of score.
    """

    shape_names: tuple[str, ...]
    score_names: tuple[str, ...]
    point_indices: Tensor
    x: Tensor
    dx: Tensor
    dj: Tensor
    mesh: Tensor
    skin_index: Tensor
    skin_weight: Tensor
    triangles: Tensor
    score_gain: Tensor

    @property
    def n_points(self) -> int:
        """K, the number of key points."""
        return self.x.shape[0]

    def point_of(self, vertex: int) -> int:
        """The key point that sits on a mesh vertex.

        Raises:
            ValueError: no key point sits there.
        """
        hits = (self.point_indices == vertex).nonzero()
        if len(hits) == 0:
            raise ValueError(f"no key point on mesh vertex {vertex}")
        return int(hits[0])


def load_rig() -> Rig:
    """The shipped rig."""
    tensors, settings = load_tensors("rig")
    shapes, scores = (tuple(settings[key]) for key in ("shape_names", "score_names"))
    return Rig(shape_names=shapes, score_names=scores, **tensors)


def skin(rig: Rig, vertices: Tensor, x0: Tensor, dx: Tensor, dj: Tensor) -> Tensor:
    """Displacement of mesh vertices by linear blend skinning, sum_k w_k (dx_k + dJ_k (v - x_k)).

    Args:
        rig: the fitted skinning weights.
        vertices: [V, 2] float32, the neutral mesh.
        x0: [K, 2] float32, the neutral key points of the same face.
        dx: [..., K, 2] float32, displacement of the key points.
        dj: [..., K, 2, 2] float32, change of the jacobians.

    Returns:
        [..., V, 2] float32.
    """
    arm = vertices[:, None] - x0[rig.skin_index]  # [V, 8, 2]
    moved = dx[..., rig.skin_index, :] + (dj[..., rig.skin_index, :, :] @ arm[..., None])[..., 0]
    return (rig.skin_weight[..., None] * moved).sum(dim=-2)  # [..., V, 2]


def basis_matrix(score_names: tuple[str, ...], shape_names: tuple[str, ...]) -> np.ndarray:
    """Which expression each of the tracker's blendshape scores means, [scores, E] float32, 0 or 1.

    `browInnerUp` and `cheekPuff` drive both halves; `_neutral` and `tongueOut` drive nothing.
    """
    matrix = np.zeros((len(score_names), len(shape_names)), np.float32)
    for row, name in enumerate(score_names):
        side = name.replace("Left", "_L").replace("Right", "_R")
        whole_sided = name.startswith(("jaw", "mouthLeft", "mouthRight"))
        for shape in (name,) if whole_sided else (side, f"{name}_L", f"{name}_R"):
            if shape in shape_names:
                matrix[row, shape_names.index(shape)] = 1.0
    return matrix


def expression_weights(rig: Rig, scores: np.ndarray) -> np.ndarray:
    """Expression weights of the tracker's scores, [..., 52] float32 0..1 -> [..., E] float32."""
    weights = scores @ basis_matrix(rig.score_names, rig.shape_names)
    return (weights * rig.score_gain.numpy()).astype(np.float32)
