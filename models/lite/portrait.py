"""Encoding a portrait: everything about one face that the pictures of it share.

The portrait's own expression comes off first: speech and emotion are added to a face at rest with
its lips closed, whatever the person did when the picture was taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, laplace
from torch import Tensor

from models.lite.contours import (
    EYE_RIMS,
    INNER_LOWER,
    INNER_UPPER,
    LIP_ROWS,
    LOWER_LID,
    OUTER_LOWER,
    OUTER_UPPER,
    UPPER_LID,
)
from models.lite.far_side import FarSide, fit_far_side
from models.lite.lids import Lid, fit_lids
from models.lite.lip_edge import lip_trims
from models.lite.mesh import (
    Surroundings,
    face_vertices,
    oval_radius,
    smoothstep,
    surround,
    triangulate,
)
from models.lite.mouth import MouthFit, fit_mouth
from models.lite.own_smile import own_smile
from models.lite.pose import HeadPose, fit_pose, project
from models.lite.resting_lips import rest_lips, row_share
from models.lite.rig import Rig, expression_weights, skin
from models.lite.sides import shown_backdrop, unfold_sides
from models.lite.wrinkles import Wrinkles, fit_wrinkles
from models.talking_head import FaceImage

LIP_EDGES = np.stack([INNER_UPPER, INNER_LOWER])
OPENINGS = np.concatenate([EYE_RIMS, INNER_UPPER, INNER_LOWER])
"""Vertices around eyes and mouth that exist twice: on the skin, and on what is seen through it."""
OWN_PREFIXES = ("mouth", "jaw", "cheekSquint", "noseSneer")
"""Expressions that are taken off the portrait; brows and lids stay as the person carries them."""
RESIDUAL_SMILE = (-0.2, 0.6)
"""Bounds of the smile that is taken off beyond what the scores say; below zero it is put back."""
RESTING_LIFT = 0.01
"""How much higher than on the rig's face the corners of a mouth that smiled wholly come to rest,
inter-ocular distances. People who do not smile have them 0.03 higher; with that much, what is left
of the smile's light reads as joy."""
UNSEEN_SMILE = {"mouthSmile": 0.25, "mouthUpperUp": 0.1}
"""Expression weights that a whole smile has beyond these: without them the mouth of a person who
smiled would rest higher under the nose, and end further apart, than the mouths of those who did not
(means over the public-domain portraits)."""
STEADY_RIM, RIM_STARTS = 0.5, 0.6
"""Share of a smile that stays on the face's outline, and radius of the outline from which on: jaws
of people who smile are no wider than those of others, and cheeks that fall stay full."""
LIP_RIM = 0.12
"""Share of a lip's thickness by which what is seen between the lips is coloured like their edge."""
LID_EDGE = 0.06
"""How far beyond the lids' contours their edge is taken, in openings of the eye."""
CRISP_AMOUNT, CRISP_SIGMA = (0.55, 0.2), 1.2
"""Strengths for fine and for enlarged portraits, and radius (px at a picture of 512), of the
unsharp mask on the portrait."""
ENLARGED = (0.45, 0.55)
"""Share of a face's fine detail that a shift by half a px leaves, up to which a portrait is as fine
as its pixels, and from which on it was enlarged and the warp takes little away. The median of 300
portraits is 0.34, their 95th percentile 0.48."""


class LitePortrait(NamedTuple):
    """One encoded portrait; K key points and N mesh vertices.

    The vertices are the face (468), its surroundings, and OPENINGS once more.

    x0, j0: [1, K, 2] and [1, K, 2, 2] float32, neutral key points and jacobians, face frame.
    neutral: [468, 3] float32, the face at rest, face frame.
    own: the portrait's own head pose.
    outer: vertices around the face.
    source: [N, 2] float32 px, where every vertex is in the portrait.
    sides: [468, 2] float32 px, how far from there the skin is taken when the head is turned.
    triangles: [M, 3] int32, in drawing order.
    pixels: [S, S, 4] uint8, RGB premultiplied by the matte, and the matte.
    background: [S, S, 3] uint8 RGB.
    mouth: teeth and tongue fitted to this face.
    wrinkles: the folds that expressions throw.
    lids: skin and lashes of both upper lids when they are closed.
    far: what the near side lends the far one; None where it looks straight ahead.
    """

    x0: Tensor
    j0: Tensor
    neutral: np.ndarray
    own: HeadPose
    outer: Surroundings
    source: np.ndarray
    sides: np.ndarray
    triangles: np.ndarray
    pixels: np.ndarray
    background: np.ndarray
    mouth: MouthFit
    wrinkles: Wrinkles
    lids: tuple[Lid, ...]
    far: FarSide | None


def encode_portrait(rig: Rig, face: FaceImage) -> LitePortrait:
    """Fit pose, neutral face, surroundings and mouth to a tracked portrait."""
    landmarks = face.landmarks.astype(np.float32)
    own = fit_pose(landmarks, rig.mesh.numpy())
    tracked = face_vertices(landmarks, own)
    worn = np.float32(0) if face.keep_smile else own_expression(rig, face.blendshapes, tracked)
    neutral = rest_lips(tracked - worn, tracked)
    smiled = _corner_lift(neutral) - _corner_lift(tracked)
    outer = surround(landmarks, own, face.matte)
    seen = np.concatenate([landmarks[:468, :2], project(outer.face, own)])
    depth = np.concatenate([tracked, outer.face]) @ own.rotation[2]
    layers = triangulate(seen, rig.triangles.numpy(), depth)
    camera = tracked @ own.rotation.T
    flat = seen[:468]
    radius = oval_radius(flat, flat)
    backdrop = shown_backdrop(face.image, face.background, flat, radius)
    unfolded = unfold_sides(flat, camera, rig.triangles.numpy(), radius, backdrop)
    source, triangles = line_openings(seen, layers, face.image)
    pixels = premultiply(crisp(face.image, landmarks), face.matte)
    far = fit_far_side(pixels, unfolded, outer, own, tracked, rig.mesh.numpy(), layers)
    smile = 0.0 if face.keep_smile else smile_score(rig, face.blendshapes)
    light = own_smile(face.image, landmarks, own.scale, rig.mesh.numpy(), smile)
    points = rig.point_indices.numpy()
    return LitePortrait(
        x0=torch.from_numpy(neutral[points, :2].copy())[None],
        j0=torch.eye(2).expand(1, len(points), 2, 2).contiguous(),
        neutral=neutral,
        own=own,
        outer=outer,
        source=source.astype(np.float32),
        sides=(unfolded - flat).astype(np.float32),
        triangles=triangles,
        pixels=pixels,
        background=np.ascontiguousarray(face.background),
        mouth=fit_mouth(neutral, own, face.image, landmarks, source[LIP_EDGES]),
        wrinkles=fit_wrinkles(landmarks, own.scale, face.image.shape[0], light, smiled),
        lids=fit_lids(face.image, landmarks),
        far=far,
    )


def line_openings(
    source: np.ndarray, triangles: np.ndarray, image: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give what is seen through lids and lips vertices of its own: it does not move with them.

    It is coloured like the edge of upper lip and lids, as the rim of the mouth and the eyes that
    are drawn over it. The lips' own edge is taken a little inside their red, so that teeth which
    show in the portrait do not stick to it.

    Args:
        source: [N, 2] float32 px, where the vertices are in the portrait.
        triangles: [M, 3] int32.
        image: [S, S, 3] uint8 RGB portrait.

    Returns:
        [N + len(OPENINGS), 2] float32 px and triangles that use the new vertices.
    """
    out = source.copy()
    lips = ((INNER_UPPER, OUTER_UPPER), (INNER_LOWER, OUTER_LOWER))
    trims = lip_trims(image, *((source[inner], source[outer]) for inner, outer in lips))
    for (inner, outer), rows, trim in zip(lips, LIP_ROWS, trims, strict=True):
        for row in (inner, *rows):
            share = row_share(source, inner, row, outer)
            out[row] += (trim * (1 - share))[:, None] * (source[outer] - source[inner])
    rim = out.copy()
    rim[INNER_UPPER] += LIP_RIM * (source[OUTER_UPPER] - source[INNER_UPPER])
    rim[INNER_LOWER] = rim[INNER_UPPER]
    for lids, across in ((UPPER_LID, LOWER_LID), (LOWER_LID, UPPER_LID)):
        rim[lids] += LID_EDGE * (source[lids] - source[across])
    renamed = np.arange(len(source))
    renamed[OPENINGS] = len(source) + np.arange(len(OPENINGS))
    mouth = np.concatenate([INNER_UPPER, INNER_LOWER])
    fills = np.any([np.isin(triangles, rims).all(1) for rims in (mouth, EYE_RIMS)], axis=0)
    relabelled = np.where(fills[:, None], renamed[triangles], triangles)
    return np.concatenate([out, rim[OPENINGS]]), relabelled.astype(np.int32)


def own_expression(rig: Rig, scores: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """What the portrait's own expression adds to its resting face, [468, 3] float32, face frame.

    The tracker's scores name the expression; what is left of a smile after that shows in the height
    of the mouth's corners, or comes with every smile, and is taken off as well.

    Args:
        rig: the expression basis.
        scores: [52] float32 0..1, the tracker's blendshape scores.
        tracked: [468, 3] float32, the face as it is in the portrait.
    """
    keep = np.array([name.startswith(OWN_PREFIXES) for name in rig.shape_names])
    worn = _displacement(rig, expression_weights(rig, scores) * keep)
    one_smile = _displacement(rig, _both_sides(rig, {"mouthSmile": 1.0}))
    mesh, smile = rig.mesh.numpy(), smile_score(rig, scores)
    lifted = _corner_lift(mesh) - RESTING_LIFT * smile - _corner_lift(tracked - worn)
    left_over = float(np.clip(-lifted / _corner_lift(one_smile), *RESIDUAL_SMILE))
    worn = worn + left_over * one_smile
    worn = worn + smile * _displacement(rig, _both_sides(rig, UNSEEN_SMILE))
    radius = oval_radius(mesh[:, :2], mesh[:, :2])
    kept = STEADY_RIM * smoothstep(radius, RIM_STARTS, 1.0)
    return worn * (1 - kept).astype(np.float32)[:, None]


def smile_score(rig: Rig, scores: np.ndarray) -> float:
    """The mean of the tracker's scores [52] of both halves of a smile, 0..1."""
    return float(scores[[name.startswith("mouthSmile") for name in rig.score_names]].mean())


def _both_sides(rig: Rig, weights: dict[str, float]) -> np.ndarray:
    """Weights of expressions without a side as [E] float32, both halves alike."""
    return np.array([weights.get(name[:-2], 0.0) for name in rig.shape_names], np.float32)


def _displacement(rig: Rig, weights: np.ndarray) -> np.ndarray:
    """Mesh displacement of expression weights [E] on the generic face, [468, 3] float32."""
    w = torch.from_numpy(weights.astype(np.float32))
    dx, dj = torch.einsum("e,eki->ki", w, rig.dx), torch.einsum("e,ekij->kij", w, rig.dj)
    flat = skin(rig, rig.mesh[:, :2], rig.x, dx, dj).numpy()
    return np.pad(flat, ((0, 0), (0, 1)))


def _corner_lift(face: np.ndarray) -> float:
    """Height of the lips' middle minus that of the mouth's corners (y down), face frame."""
    return float(face[[61, 291], 1].mean() - face[[0, 17], 1].mean())


def crisp(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """An unsharp mask against what cropping and warping blur.

    Measured on fourteen portraits, the Laplacian variance of a posed face goes from 0.51 .. 0.94 of
    the file's to 0.95 .. 1.23.

    Args:
        image: [S, S, 3] uint8 RGB.
        landmarks: [>=468, 3] float32 px.

    Returns:
        [S, S, 3] uint8 RGB.
    """
    low, high = landmarks[:468, :2].min(0).astype(int), landmarks[:468, :2].max(0).astype(int)
    face = image[max(low[1], 0) : high[1], max(low[0], 0) : high[0]].mean(-1)
    halfway = (face[1:, 1:] + face[1:, :-1] + face[:-1, 1:] + face[:-1, :-1]) / 4
    left = laplace(halfway).var() / max(laplace(face).var(), 1e-6)
    amount = np.interp(left, ENLARGED, CRISP_AMOUNT)
    sigma = CRISP_SIGMA * image.shape[0] / 512
    soft = gaussian_filter(image.astype(np.float32), (sigma, sigma, 0))
    return np.clip(image + amount * (image - soft), 0, 255).astype(np.uint8)


def premultiply(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """[S, S, 3] and [S, S] uint8 -> [S, S, 4] uint8, RGB times matte / 255, and the matte."""
    colour = (image.astype(np.uint16) * matte[..., None] + 127) // 255
    return np.ascontiguousarray(np.dstack([colour.astype(np.uint8), matte]))
