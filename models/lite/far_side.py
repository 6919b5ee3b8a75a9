"""The far side of a face that looks aside in its portrait: the near side's skin, mirrored.

Such a portrait shows one cheek, temple and ear in a few px. When the head turns back they come into
view, and those px would be stretched over them, frames of glasses and earrings included. The same
parts of the other side are laid over them, in the light of the side that they come to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from models.lite.mesh import Surroundings, oval_radius, smoothstep
from models.lite.pose import HeadPose, carry, project
from models.lite.sides import SIDE, TURN, facing
from models.lite.warp import Warp
from models.lite.warp import warp as cpu_warp

LEAST_TURN = 2.5
"""Degrees that a portrait must look aside: else neither side shows more than the other."""
HIDDEN = (0.3, 0.6)
"""Cosines between skin and line of sight below and above which it is fully and not replaced."""
SHOWN_BETTER = 0.06
"""How much larger that cosine is on the near side where its skin is fully preferred."""
AROUND = (1.8, 2.2)
"""Radii, in those of the face's outline, over which mirroring ceases around the face."""
DOWN = (0.0, 0.2)
"""Heights under the middle of the face, in those radii, over which it ceases: collars stay."""
LEAST_SHARE = 0.02
"""Triangles that lend less are left out."""
LIGHT_SIGMA, LIGHT_REACH, LIGHT_STEP = 0.05, 0.5, 0.12
"""Inter-ocular distances over which the light on the skin is averaged, carried on to where the
portrait shows none, and told apart from place to place."""
MOST_LIGHT = 0.6
"""Largest change of the light, natural logarithm."""
SKIN_SPREAD = 0.4
"""How far skin may differ from the middle of the face in the logarithm of its light."""
TRUSTED, TRUSTED_RADIUS = (0.25, 0.6), (0.85, 0.95)
"""Cosines and radii over which skin ceases to tell the light on its side."""


class FarSide(NamedTuple):
    """The mirrored near side of one portrait; V vertices: 468 of the face and G around it.

    opens: -1 or 1, the sign of the yaw that turns it into view.
    twin: [468] int64, the vertex across the face of each vertex.
    around: [G, 3] float32, the surroundings mirrored, face frame.
    follow: [G] float32 0..1, how far each turns with the head.
    source: [V, 2] float32 px, where they are in `pixels`.
    triangles: [M, 3] int32, in drawing order.
    pixels: [h, w, 4] uint8, RGB premultiplied by matte and share, and their product.
    """

    opens: int
    twin: np.ndarray
    around: np.ndarray
    follow: np.ndarray
    source: np.ndarray
    triangles: np.ndarray
    pixels: np.ndarray


def fit_far_side(
    pixels: np.ndarray,
    skin: np.ndarray,
    outer: Surroundings,
    own: HeadPose,
    tracked: np.ndarray,
    mesh: np.ndarray,
    triangles: np.ndarray,
) -> FarSide | None:
    """What a portrait lends its far side; None where it looks straight ahead.

    Args:
        pixels: [S, S, 4] uint8, RGB premultiplied by the matte, and the matte.
        skin: [468, 2] float32 px, where the face takes its skin from.
        outer: what lies around the face.
        own: the portrait's pose.
        tracked: [468, 3] float32, the face as it is in the portrait, face frame.
        mesh: [468, 3] float32, the generic face.
        triangles: [M, 3] int32 of face and surroundings, in drawing order; face alone has < 468.
    """
    aside = own.rotation[2, 0]
    if abs(aside) < np.sin(np.radians(LEAST_TURN)):
        return None
    twin = cKDTree(mesh).query(mesh * np.array([-1, 1, 1]))[1]
    flat = project(tracked, own)
    source = np.concatenate([skin, project(outer.face, own)]).astype(np.float32)
    cosine = facing(tracked @ own.rotation.T, triangles[(triangles < len(tracked)).all(1)])
    share = _share(cosine, twin, flat, outer, source[len(twin) :])
    triangles = triangles[(triangles < len(source)).all(1)]
    triangles = triangles[(share[triangles] > LEAST_SHARE).any(1)]
    around = (outer.face * np.array([-1, 1, 1])).astype(np.float32)
    there = np.concatenate([flat[twin], project(around, own)])
    radius = oval_radius(flat, flat)
    trust = smoothstep(cosine, *TRUSTED) * (1 - smoothstep(radius, *TRUSTED_RADIUS))
    light = _change_of_light(pixels, flat, trust, source, there, own.scale)
    corner, drawn = _cropped(_lent(pixels, light, share, source, triangles))
    opens = 1 if aside < 0 else -1
    return FarSide(opens, twin, around, outer.follow, source - corner, triangles, drawn)


def draw_far_side(
    out: np.ndarray,
    far: FarSide,
    own: HeadPose,
    face: np.ndarray,
    pose: np.ndarray,
    warp: Warp = cpu_warp,
) -> None:
    """Lay the mirrored skin over the far side of a drawn head as it turns into view.

    Args:
        out: [S, S, 3] uint8 RGB.
        far: of this portrait.
        own: the portrait's pose.
        face: [468, 2] float32 px, where the face's vertices are.
        pose: [POSE_DIMS] float32.
        warp: draws.
    """
    shown = float(smoothstep(far.opens * pose[0], *TURN))
    if shown == 0:
        return
    target = np.concatenate([face[far.twin], carry(far.around, far.follow, own, pose)])
    pixels = far.pixels if shown == 1 else _faded(far.pixels, shown)
    warp(out, pixels, target.astype(np.float32), far.source, far.triangles)


def _faded(pixels: np.ndarray, share: float) -> np.ndarray:
    return (pixels * np.uint16(256 * share) >> 8).astype(np.uint8)


def _share(
    cosine: np.ndarray, twin: np.ndarray, flat: np.ndarray, outer: Surroundings, places: np.ndarray
) -> np.ndarray:
    """How far the skin at each near vertex replaces its twin's, [V] 0..1."""
    across = cosine[twin]
    share = smoothstep(oval_radius(flat, flat), *SIDE) * (1 - smoothstep(across, *HIDDEN))
    share *= smoothstep(cosine - across, 0, SHOWN_BETTER)
    weight = outer.oval_weight / np.maximum(outer.oval_weight.sum(1, keepdims=True), 1e-9)
    around = (share[outer.oval_index] * weight).sum(1) * outer.follow * outer.free
    low, high = flat[:, 1].min(), flat[:, 1].max()
    below = (2 * places[:, 1] - low - high) / (high - low)
    around *= (1 - smoothstep(oval_radius(places, flat), *AROUND)) * (1 - smoothstep(below, *DOWN))
    return np.concatenate([share, around])


def _change_of_light(
    pixels: np.ndarray,
    flat: np.ndarray,
    trust: np.ndarray,
    source: np.ndarray,
    there: np.ndarray,
    scale: float,
) -> np.ndarray:
    """Logarithm of how much lighter skin at `source` [V, 2] px must be `there` [V, 2] px, [V]."""
    tone, skin = _tone(pixels, flat, LIGHT_SIGMA * scale)
    wanted = _carried(_at(tone, flat), trust * _at(skin, flat), flat, there, LIGHT_REACH * scale)
    more = wanted - _at(tone, source)
    more = _carried(more, _at(skin, source), source, source, LIGHT_STEP * scale)
    return np.clip(more, -MOST_LIGHT, MOST_LIGHT)


def _tone(pixels: np.ndarray, flat: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the light on the skin around every pixel, and how much skin that is, [S, S]."""
    light = np.log(pixels[..., :3].mean(-1) + 8)
    typical = np.median(_at(light, flat[oval_radius(flat, flat) < SIDE[0]]))
    likely = np.exp(-0.5 * ((light - typical) / SKIN_SPREAD) ** 2) * (pixels[..., 3] == 255)
    skin = gaussian_filter(likely, sigma) + 1e-4
    return gaussian_filter(light * likely, sigma) / skin, skin


def _carried(
    values: np.ndarray, weights: np.ndarray, at: np.ndarray, to: np.ndarray, reach: float
) -> np.ndarray:
    """Weighted means of values [n] at px [n, 2] around other px [m, 2], [m]."""
    apart = ((to[:, None] - at[None]) ** 2).sum(-1)
    near = np.exp(-0.5 * apart / reach**2) * weights + 1e-9
    return near @ values / near.sum(1)


def _lent(
    pixels: np.ndarray,
    light: np.ndarray,
    share: np.ndarray,
    source: np.ndarray,
    triangles: np.ndarray,
) -> np.ndarray:
    """The portrait's pixels in another light, as far as they are lent, [S, S, 4] uint8."""
    more, lent = (_painted(v, source, triangles, len(pixels)) for v in (light, share))
    lit = pixels.astype(np.float32)
    lit[..., :3] *= np.exp(more)[..., None]
    return np.rint(np.minimum(lit, pixels[..., 3:]) * lent[..., None]).astype(np.uint8)


def _at(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values of a picture [S, S] at px [n, 2], the border's beyond it."""
    x, y = np.clip(np.rint(places).astype(int), 0, len(picture) - 1).T
    return picture[y, x]


def _painted(values: np.ndarray, at: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    """A picture [size, size] float32 of vertex values -1..1, zero where there are no triangles."""
    ramp = np.full((2, 256, 4), 255, np.uint8)
    ramp[..., :3] = np.arange(256)[:, None]
    where = np.column_stack([127 + 127 * values, np.zeros(len(values))]).astype(np.float32)
    out = np.full((size, size, 3), 127, np.uint8)
    cpu_warp(out, ramp, at, where, triangles)
    return (out[..., 0].astype(np.float32) - 127) / 127


def _cropped(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corner [2] px of what is not empty in [S, S, 4], and that part with a margin."""
    y, x = pixels[..., 3].nonzero()
    top, left = max(y.min(initial=1) - 1, 0), max(x.min(initial=1) - 1, 0)
    part = pixels[top : y.max(initial=0) + 2, left : x.max(initial=0) + 2]
    return np.array([left, top], np.float32), np.ascontiguousarray(part)
