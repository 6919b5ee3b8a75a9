"""From a tracked mesh to the key points and jacobians that make model `lite` draw it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from avatar.pose import smooth
from models.lite.contours import EYE_RIMS
from models.lite.mesh import smoothstep
from models.lite.rig import Rig

FACE_SIGMA_FRAMES, LIP_SIGMA_FRAMES = 2.0, 0.7
"""Smoothing of the tracker's own jitter: of what is slow, and of lips and lids."""
LIPS_BEGIN = (0.45, 0.65)
"""Between which heights of the face, inter-ocular distances, its motion becomes that of speech."""
RIDGE = 1e-5
"""Pull of the key points towards the tracked points under them, and of the jacobians to rest."""


def steadied(worn: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Motions of a tracked mesh without the tracker's shaking.

    Args:
        worn: [T, 468, 2] float32, face frame.
        mesh: [468, 3] float32, the generic face.

    Returns:
        [T, 468, 2] float32.
    """
    flat = worn.reshape(len(worn), -1)
    slow, fast = (
        smooth(flat, sigma).reshape(worn.shape) for sigma in (FACE_SIGMA_FRAMES, LIP_SIGMA_FRAMES)
    )
    share = smoothstep(mesh[:, 1], *LIPS_BEGIN)
    share[EYE_RIMS] = 1
    return slow + share[:, None] * (fast - slow)


def worn_points(rig: Rig, flat: np.ndarray, worn: np.ndarray) -> tuple[Tensor, Tensor]:
    """Key points and jacobians whose skinning moves a mesh as wanted, by ridge regression.

    Args:
        rig: the skinning.
        flat: [V, 2] float32, the mesh at rest, face frame.
        worn: [T, V, 2] float32, how it is to be moved.

    Returns:
        [T, K, 2] and [T, K, 2, 2] float32, what they differ by from rest.
    """
    V, K, T = len(flat), rig.n_points, len(worn)
    index, weight = rig.skin_index.numpy(), rig.skin_weight.numpy()
    arm = flat[:, None] - flat[rig.point_indices][index]
    by_vertex = np.zeros((V, 3, K))
    parts = np.concatenate([np.ones((V, 8, 1)), arm], axis=2)
    by_vertex[np.arange(V)[:, None], :, index] = weight[..., None] * parts
    design = by_vertex.reshape(V, 3 * K)
    tracked = np.zeros((T, 3, K, 2))
    tracked[:, 0] = worn[:, rig.point_indices]
    prior = tracked.reshape(T, 3 * K, 2)
    solve = np.linalg.solve(design.T @ design + RIDGE * np.eye(3 * K), design.T)
    fitted = prior + solve @ (worn - design @ prior)
    dx, *columns = fitted.reshape(T, 3, K, 2).astype(np.float32).transpose(1, 0, 2, 3)
    return torch.from_numpy(dx), torch.from_numpy(np.stack(columns, axis=-1))
