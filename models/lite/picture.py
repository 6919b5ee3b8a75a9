"""From key points to a picture: skin the mesh, turn the head, draw face, eyes and mouth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.lite.contours import (
    INNER_LOWER,
    INNER_UPPER,
    LIP_ROWS,
    LOWER_LID,
    OUTER_LOWER,
    OUTER_UPPER,
    UPPER_LID,
)
from models.lite.eyes import GAZE_REACH, draw_eyes
from models.lite.far_side import draw_far_side
from models.lite.lids import close_lids, closures, draw_lashes
from models.lite.mesh import smoothstep
from models.lite.mouth import CORNERS, draw_mouth, layer_frame
from models.lite.portrait import OPENINGS, LitePortrait
from models.lite.pose import carry, place
from models.lite.rig import Rig, skin
from models.lite.seam import draw_seam
from models.lite.sides import turned
from models.lite.warp import Warp
from models.lite.warp import warp as cpu_warp
from models.lite.wrinkles import folded
from models.talking_head import Motion

CHIN = 152
BETWEEN = np.array([1, 4, 6, 9])
"""Places in the lips' inner contours that are no key points: where those beside them touch, so do
they, however steep the jacobians there are."""
LID_OVERLAP = np.tile([0.004, 0.012, 0.02, 0.025, 0.025, 0.02, 0.008], 2).astype(np.float32)
"""How far an upper lid may come down over the lower one, from the outer to the inner corner."""
LOWER_TEETH_BELOW = 0.03
"""How much deeper than in the layers the lower teeth sit behind the lip, inter-ocular distances."""
WIDE_OPEN = (0.04, 0.2)
"""Openings of the mouth, inter-ocular distances, from and at which its lower lip is an arc."""


def draw(rig: Rig, portrait: LitePortrait, motion: Motion, warp: Warp = cpu_warp) -> np.ndarray:
    """The picture of a motion of batch 1, [S, S, 3] uint8 RGB, drawn by `warp`."""
    pose = motion.pose[0].numpy()
    face = talking_face(rig, portrait, motion.x[0], motion.jacobian[0])
    target = place_vertices(portrait, face, pose)
    moved = face - portrait.neutral
    pixels = folded(portrait.pixels, portrait.wrinkles, moved[:, :2])
    closed = closures(face, portrait.neutral)
    close_lids(pixels, portrait.lids, closed)
    out = portrait.background.copy()
    source = portrait.source.copy()
    source[:468] += turned(pose) * portrait.sides
    source[LOWER_LID] += _covered(portrait, face)
    warp(out, pixels, target, source, portrait.triangles)
    if portrait.far:
        draw_far_side(out, portrait.far, portrait.own, target[:468], pose, warp)
    carried = place(portrait.neutral, portrait.own, pose)
    gaze = pose[7:9] * GAZE_REACH * portrait.own.scale
    draw_eyes(out, portrait.pixels, target, carried, portrait.source, gaze)
    draw_lashes(out, portrait.lids, closed, target, portrait.own.scale * (1 + float(pose[5])))
    _draw_inside(out, portrait, face, target, pose)
    return out


def talking_face(rig: Rig, portrait: LitePortrait, x: Tensor, jacobian: Tensor) -> np.ndarray:
    """The mesh [468, 3] float32 that key points x [K, 2] and jacobians [K, 2, 2] ask for.

    Lips that would cross meet halfway; a wide open mouth is round below. An upper lid that would
    cross the lower one takes it along, down to its place at rest and a little further.
    """
    neutral = torch.from_numpy(portrait.neutral[:, :2])
    moved = skin(rig, neutral, portrait.x0[0], x - portrait.x0[0], jacobian - portrait.j0[0])
    face = portrait.neutral.copy()
    face[:, :2] += moved.numpy()
    _close_lips(face)
    _round_lips(face)
    _close_lids(face, portrait.neutral)
    return face


def _close_lips(face: np.ndarray) -> None:
    upper, lower = INNER_UPPER, INNER_LOWER
    gap = face[lower, 1] - face[upper, 1]
    beside = np.maximum(np.maximum(gap[BETWEEN - 1], gap[BETWEEN + 1]), 0)
    wider = np.maximum(gap[BETWEEN] - beside, 0) / 2
    for row in (upper, *LIP_ROWS[0]):
        face[row[BETWEEN], 1] += wider
    for row in (lower, *LIP_ROWS[1]):
        face[row[BETWEEN], 1] -= wider
    crossed = face[upper, 1] > face[lower, 1]
    meeting = (0.5 * face[upper, 1] + 0.5 * face[lower, 1])[crossed]
    face[upper[crossed], 1] = face[lower[crossed], 1] = meeting


def _close_lids(face: np.ndarray, neutral: np.ndarray) -> None:
    """Join the contours of lids that have crossed: no sliver of the eye is left between them."""
    lowest = np.maximum(face[LOWER_LID, 1], neutral[LOWER_LID, 1]) + LID_OVERLAP
    crossed = face[UPPER_LID, 1] > face[LOWER_LID, 1]
    face[UPPER_LID, 1] = np.minimum(face[UPPER_LID, 1], lowest)
    face[LOWER_LID[crossed]] = face[UPPER_LID[crossed]]


def _covered(portrait: LitePortrait, face: np.ndarray) -> np.ndarray:
    """How much of the lower lids the closed upper ones hide, px [14, 2] in the portrait."""
    shut = (face[UPPER_LID] == face[LOWER_LID]).all(1)
    pushed = face[LOWER_LID, 1] - portrait.neutral[LOWER_LID, 1]
    hidden = shut * np.clip(pushed, 0, LID_OVERLAP)
    return hidden[:, None] * portrait.own.scale * portrait.own.rotation[:2, 1]


def _round_lips(face: np.ndarray) -> None:
    """Part the lips of a wide open mouth at least to arcs from corner to corner."""
    wide = smoothstep((face[INNER_LOWER, 1] - face[INNER_UPPER, 1]).max(), *WIDE_OPEN)
    lips = ((INNER_UPPER, LIP_ROWS[0], OUTER_UPPER, -1), (INNER_LOWER, LIP_ROWS[1], OUTER_LOWER, 1))
    for inner, rows, outer, way in lips:
        lip = face[inner]
        along = (lip[:, 0] - lip[0, 0]) / max(lip[-1, 0] - lip[0, 0], 1e-6)
        depth = way * (lip[:, 1] - (lip[0, 1] + along * (lip[-1, 1] - lip[0, 1])))
        missing = np.maximum(4 * along * (1 - along) * depth.max() - depth, 0)
        for row in (inner, *rows, outer):
            face[row, 1] += way * wide * missing


def place_vertices(portrait: LitePortrait, face: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Where all vertices lie in the picture, [N, 2] float32 px: face, surroundings, openings."""
    outer = portrait.outer
    shared = (face - portrait.neutral)[outer.oval_index] * outer.oval_weight[..., None]
    around = carry(outer.face + shared.sum(1), outer.follow, portrait.own, pose)
    still = portrait.source[len(face) : len(face) + len(around)]
    around = still + outer.free[:, None] * (around - still)
    placed = place(face, portrait.own, pose)
    return np.concatenate([placed, around, placed[OPENINGS]]).astype(np.float32)


def _draw_inside(
    out: np.ndarray, portrait: LitePortrait, face: np.ndarray, target: np.ndarray, pose: np.ndarray
) -> None:
    mouth = portrait.mouth
    px = portrait.own.scale * (1 + float(pose[5]))
    draw_seam(out, target[INNER_UPPER], target[INNER_LOWER], px, mouth.seam)
    frame = layer_frame(mouth, portrait.own, pose, target[list(CORNERS)])
    drop = (face[CHIN] - portrait.neutral[CHIN])[:2] * mouth.jaw_ratio
    jaw = (drop + np.array([0, LOWER_TEETH_BELOW])) * mouth.pixels_per_unit
    arrays = (target[INNER_UPPER], target[INNER_LOWER], *frame, jaw)
    draw_mouth(out, mouth.upper, mouth.lower, mouth.cavity, *(a.astype(np.float32) for a in arrays))
