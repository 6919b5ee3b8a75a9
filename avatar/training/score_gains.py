"""Fits how much of an expression one unit of a tracker's score means, on still portraits.

Scores are not weights: a score of 0.1 for `jawOpen` goes with a jaw that is 0.18 open. People
differ in shape far more than in expression, so one gain per expression is regressed over all
portraits at once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.lite.pose import fit_pose, to_face_frame
from models.lite.rig import basis_matrix

PULL = 0.02
"""Ridge towards a gain of one, relative to the mean squared motion of an expression."""
MIN_SPREAD = 0.02
"""Expressions whose scores vary less than this over the portraits keep a gain of one."""


def fit_score_gains(
    landmarks_file: Path,
    deltas: np.ndarray,
    mesh: np.ndarray,
    names: tuple[str, ...],
    scores: tuple[str, ...],
) -> np.ndarray:
    """Gain per expression, [E] float32; left and right share one.

    Args:
        landmarks_file: npz with `landmarks` [N, 478, 3] px and `blendshapes` [N, 52].
        deltas: [E, 468, 3] float32, expression basis in the face frame.
        mesh: [468, 3] float32, the generic face in the face frame.
        names: E names of the expressions.
        scores: 52 names of the blendshape scores.
    """
    with np.load(landmarks_file) as file:
        landmarks, blendshapes = file["landmarks"].astype(np.float32), file["blendshapes"]
    faces = np.stack([to_face_frame(p[:468], fit_pose(p, mesh)) for p in landmarks])
    weights = blendshapes @ basis_matrix(scores, names)
    offset, varied = faces - faces.mean(0), weights - weights.mean(0)
    groups = [g for g in _mirror_pairs(names) if weights[:, g].std() > MIN_SPREAD]
    columns = [np.einsum("ne,evi->nvi", varied[:, g], deltas[g][..., :2]).ravel() for g in groups]
    design, target = np.stack(columns, 1), offset[..., :2].ravel()
    normal = design.T @ design
    ridge = PULL * np.trace(normal) / len(groups)
    solution = np.linalg.solve(normal + ridge * np.eye(len(groups)), design.T @ target + ridge)
    gains = np.ones(len(names), np.float32)
    for group, gain in zip(groups, solution, strict=True):
        gains[group] = max(gain, 0.3)
    return gains


def _mirror_pairs(names: tuple[str, ...]) -> list[list[int]]:
    """Indices of the mouth and jaw expressions, left and right halves together."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if name.startswith(("mouth", "jaw")):
            groups.setdefault(name.removesuffix("_L").removesuffix("_R"), []).append(index)
    return list(groups.values())
