"""The skin of closed lids: what a warp of open eyes cannot show, made once for a portrait.

Over an open eye the lid is a narrow strip, full of lashes; stretched over the eye it smears. While
a lid falls, that strip gives way to smooth skin of the eye socket's colour, and a line of lashes is
drawn along the lid's edge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter

from models.lite.eyes import EYES
from models.lite.mesh import smoothstep
from models.lite.mouth import across_at

# fmt: off
CREASES = (
    np.array([130, 247, 30, 29, 27, 28, 56, 190, 243]),
    np.array([463, 414, 286, 258, 257, 259, 260, 467, 359]),
)
SOCKETS = (
    np.array([226, 113, 225, 224, 223, 222, 221, 189, 244]),
    np.array([464, 413, 441, 442, 443, 444, 445, 342, 446]),
)
# fmt: on
"""Mesh lines above the upper lid contours of `models.lite.eyes.EYES`, in step with them."""
BAGS = (np.array([230, 229, 231]), np.array([450, 449, 451]))
"""Skin below each eye, which has the light of the face."""
BAG_SHARE = 0.7
"""How far the light below the eye makes that of the lid."""
EYE_LENGTH = 0.33
"""Length of an eye, inter-ocular distances."""
OUTER, INNER = (-0.45, -0.02), (-0.3, -0.02)
"""Where the smooth skin fades in beyond the corners, in lengths of the eye."""
LEAST_REACH = 0.6
"""Share of its largest height above the eye to which the smooth skin reaches beside the nose."""
FADE = 1.2
"""Where the smooth skin has faded above the eye, as a share of its reach."""
CLOSING = (0.12, 0.6)
"""Closure of the lid between which its own skin gives way to the smooth one."""
LINE_SIGMAS = (0.02, 0.06)
"""Scales between which the lines of brows and of glasses lie, inter-ocular distances."""
LINE_CONTRAST = (4.0, 10.0)
"""Grey levels by which they differ from their surroundings: below it is skin, above it stays."""
LINES_FROM = (0.55, 0.85)
"""Heights above the lid's edge, in those of its crease, from which on they may: not lashes."""
LASHES_SHOW = (0.3, 0.8)
"""Closure of the lid between which the line of lashes comes."""
OWN_DETAIL = 0.3
"""Share of the portrait's own detail that the smooth skin keeps, at most DETAIL_RANGE."""
DETAIL_RANGE = 10.0
"""Largest detail kept, grey levels."""
BELOW_EDGE = 0.03
"""How far below the contour the smooth skin reaches, inter-ocular distances."""
LASH_DROP = 0.016
"""How far below the lid's edge its lashes hang, inter-ocular distances."""
LASH_ABOVE, LASH_BELOW = 0.006, 0.009
"""Standard deviations of the line of lashes above and below its middle, inter-ocular distances."""
LASH_COVER = 0.7
"""How much of the skin the lashes hide."""


class Lid(NamedTuple):
    """One upper lid of a portrait.

    top, left: corner of its patch in the portrait, px.
    skin: [h, w, 3] float32 RGB 0..255.
    share: [h, w, 1] float32 0..1, how far the skin replaces the portrait where the lid is closed.
    lashes: [3] float32 RGB 0..255, colour of the line of lashes.
    """

    top: int
    left: int
    skin: np.ndarray
    share: np.ndarray
    lashes: np.ndarray


def fit_lids(image: np.ndarray, landmarks: np.ndarray) -> tuple[Lid, ...]:
    """The lids of the eyes at image left and image right.

    Args:
        image: [S, S, 3] uint8 RGB portrait.
        landmarks: [>= 468, >= 2] float32 px.
    """
    p = landmarks[:, :2].astype(np.float32)
    lines = zip(EYES, CREASES, SOCKETS, BAGS, (True, False), strict=True)
    return tuple(
        _fit(image, p[edge], p[fold], p[bone], p[bag], outer_first)
        for (edge, _), fold, bone, bag, outer_first in lines
    )


def _fit(
    image: np.ndarray,
    edge: np.ndarray,
    crease: np.ndarray,
    socket: np.ndarray,
    bag: np.ndarray,
    outer_first: bool,
) -> Lid:
    scale = float(np.linalg.norm(edge[-1] - edge[0])) / EYE_LENGTH
    margin = 0.1 * scale + 2
    around = np.concatenate([edge, crease, socket])
    left, top = np.maximum(np.floor(around.min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(around.max(0) + margin), image.shape[0] - 1).astype(int)
    grid = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), -1)
    axis = (edge[-1] - edge[0]) / max(float(np.linalg.norm(edge[-1] - edge[0])), 1e-3)
    along, height = _above(grid.astype(np.float32), edge, axis)
    fold, bone = (_above_at(along, line, edge, axis) for line in (crease, socket))
    fold = np.maximum(fold, 2.0)
    rise = height / fold  # 0 at the lid's edge, 1 at its crease
    skin = _smooth_skin(image, crease, socket, bag)
    ends = np.linspace(0, 1, len(skin))
    colour = np.stack([np.interp(along, ends, c) for c in skin.T], -1) * _shading(rise)[..., None]
    patch = image[top:bottom, left:right].astype(np.float32)
    colour += OWN_DETAIL * np.clip(patch - colour, -DETAIL_RANGE, DETAIL_RANGE)
    reach = np.maximum(np.maximum(bone, 1.3 * fold), LEAST_REACH * bone.max())
    share = 1 - smoothstep(height, (fold + reach) / 2, FADE * reach)
    share *= (height > -BELOW_EDGE * scale) * smoothstep(
        along if outer_first else 1 - along, *OUTER
    )
    share *= smoothstep(1 - along if outer_first else along, *INNER)
    share *= 1 - _lines(patch, scale) * smoothstep(height / fold.max(), *LINES_FROM)
    return Lid(
        int(top),
        int(left),
        colour.astype(np.float32),
        share[..., None].astype(np.float32),
        _lash_colour(image, edge, skin),
    )


def _lines(patch: np.ndarray, scale: float) -> np.ndarray:
    """How much of a frame or of a brow a patch [h, w, 3] shows, 0..1: skin has no such lines."""
    grey = patch.mean(-1)
    detail = np.abs(grey - gaussian_filter(grey, LINE_SIGMAS[1] * scale))
    return smoothstep(gaussian_filter(detail, LINE_SIGMAS[0] * scale), *LINE_CONTRAST)


def _above(grid: np.ndarray, edge: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place along the eye, 0..1 between its corners, and height px above the lid's edge."""
    length = float((edge[-1] - edge[0]) @ axis)
    along = ((grid - edge[0]) @ axis) / length
    return along, _height(grid, edge, axis) - _line_at(along, edge, edge, axis)


def _above_at(
    along: np.ndarray, line: np.ndarray, edge: np.ndarray, axis: np.ndarray
) -> np.ndarray:
    """How high a line lies above the lid's edge at places along the eye, px."""
    return _line_at(along, line, edge, axis) - _line_at(along, edge, edge, axis)


def _line_at(along: np.ndarray, line: np.ndarray, edge: np.ndarray, axis: np.ndarray) -> np.ndarray:
    places = ((line - edge[0]) @ axis) / float((edge[-1] - edge[0]) @ axis)
    order = np.argsort(places)
    return np.interp(along, places[order], _height(line, edge, axis)[order])


def _height(points: np.ndarray, edge: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Height px above the line between the corners of the eye."""
    return (points - edge[0]) @ np.array([axis[1], -axis[0]], np.float32)


def _smooth_skin(
    image: np.ndarray, crease: np.ndarray, socket: np.ndarray, bag: np.ndarray
) -> np.ndarray:
    """Colour of the eye socket's skin from corner to corner, without lashes, [9, 3] float32."""
    shares = np.linspace(0.25, 0.95, 6)[:, None, None]
    at = np.rint(crease + shares * (socket - crease)).astype(int).clip(1, image.shape[0] - 2)
    near = np.stack([image[at[..., 1] + j, at[..., 0] + i] for j in (-1, 0, 1) for i in (-1, 0, 1)])
    bright = np.percentile(near.reshape(-1, len(crease), 3).astype(np.float32), 80, axis=0)
    below = np.median([image[y, x] for x, y in np.rint(bag).astype(int)], axis=0)
    whole = (1 - BAG_SHARE) * np.median(bright[1:-1], axis=0) + BAG_SHARE * below
    mixed = np.pad(0.5 * bright + 0.5 * whole, ((1, 1), (0, 0)), mode="edge")
    return (mixed[:-2] + 2 * mixed[1:-1] + mixed[2:]) / 4


def _shading(rise: np.ndarray) -> np.ndarray:
    """Light on a closed lid: darker towards its lashes and in its crease."""
    lashes, crease = np.exp(-np.maximum(rise, 0) / 0.15), np.exp(-(((rise - 1) / 0.2) ** 2))
    bulge = np.exp(-(((rise - 0.5) / 0.3) ** 2))
    return 0.99 - 0.10 * lashes - 0.05 * crease + 0.03 * bulge


def _lash_colour(image: np.ndarray, edge: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """The dark of the lid's edge in the portrait, at most half as light as the skin, [3]."""
    fine = np.concatenate([edge[:-1] + t * np.diff(edge, axis=0) for t in (0, 0.25, 0.5, 0.75)])
    at = np.rint(fine).astype(int).clip(1, image.shape[0] - 2)
    seen = np.stack([image[at[:, 1] + j, at[:, 0]] for j in (-1, 0, 1)]).reshape(-1, 3)
    return np.minimum(np.percentile(seen, 20, axis=0), 0.5 * skin.mean(0)).astype(np.float32)


def closures(face: np.ndarray, neutral: np.ndarray) -> tuple[float, ...]:
    """How far each eye is closed, 0 as at rest .. 1 shut, of meshes [468, 3] in the face frame."""
    gaps = [
        [max(float((f[below[3:6], 1] - f[above[3:6], 1]).mean()), 0.0) for f in (face, neutral)]
        for above, below in EYES
    ]
    return tuple(float(np.clip(1 - now / max(rest, 1e-4), 0, 1)) for now, rest in gaps)


def close_lids(pixels: np.ndarray, lids: tuple[Lid, ...], closed: tuple[float, ...]) -> None:
    """Lay smooth skin on a portrait [S, S, 4] uint8, in place, as far as its eyes are closed."""
    for lid, closure in zip(lids, closed, strict=True):
        amount = float(smoothstep(np.array(closure), *CLOSING))
        if amount > 0.01:
            height, width = lid.skin.shape[:2]
            patch = pixels[lid.top : lid.top + height, lid.left : lid.left + width]
            _mix(patch, lid.skin, lid.share, np.float32(amount))


@njit(cache=True, nogil=True, fastmath=True)
def _mix(patch: np.ndarray, skin: np.ndarray, share: np.ndarray, amount: np.float32) -> None:
    for y in range(patch.shape[0]):
        for x in range(patch.shape[1]):
            s = share[y, x, 0] * amount
            for ch in range(3):
                value = min(skin[y, x, ch], np.float32(patch[y, x, 3]))
                patch[y, x, ch] = np.uint8(patch[y, x, ch] * (1 - s) + value * s + 0.5)


def draw_lashes(
    out: np.ndarray,
    lids: tuple[Lid, ...],
    closed: tuple[float, ...],
    target: np.ndarray,
    px: float,
) -> None:
    """Draw the lashes of lids that are closed or nearly so.

    Args:
        out: [H, W, 3] uint8 RGB, changed in place.
        lids: both lids.
        closed: how far each is closed, 0..1.
        target: [>= 468, 2] float32 px, where the mesh is now.
        px: of an inter-ocular distance.
    """
    for lid, closure, (above, _) in zip(lids, closed, EYES, strict=True):
        amount = float(smoothstep(np.array(closure), *LASHES_SHOW))
        if amount > 0.01:
            sizes = np.array([LASH_DROP, LASH_ABOVE, LASH_BELOW], np.float32) * np.float32(px)
            _draw_line(out, target[above], lid.lashes, sizes, np.float32(amount))


@njit(cache=True, nogil=True, fastmath=True)
def _draw_line(
    out: np.ndarray,
    edge: np.ndarray,
    colour: np.ndarray,
    sizes: np.ndarray,
    amount: np.float32,
) -> None:
    """A soft line below a contour [n, 2] px, thinner and nearer towards its ends.

    What lies above the contour goes on down to the line. The sizes [3] px are how far below the
    line lies, and its deviations upwards and downwards.
    """
    n = edge.shape[0]
    ax, ay = edge[n - 1, 0] - edge[0, 0], edge[n - 1, 1] - edge[0, 1]
    length = max(np.sqrt(ax * ax + ay * ay), np.float32(1e-3))
    ax, ay = ax / length, ay / length
    local = np.empty((n, 2), np.float32)
    for i in range(n):
        dx, dy = edge[i, 0] - edge[0, 0], edge[i, 1] - edge[0, 1]
        local[i, 0], local[i, 1] = dx * ax + dy * ay, dy * ax - dx * ay
    drop, over, under = sizes
    reach = drop + 3 * max(over, under) + 1
    height, width = out.shape[:2]
    first, last = int(edge[:, 1].min() - reach), int(edge[:, 1].max() + reach)
    left, right = int(edge[:, 0].min() - 1), int(edge[:, 0].max() + 1)
    for y in range(max(0, first), min(height, last + 1)):
        for x in range(max(0, left), min(width, right + 1)):
            dx, dy = x - edge[0, 0], y - edge[0, 1]
            a, b = dx * ax + dy * ay, dy * ax - dx * ay
            t = a / length
            if t <= 0 or t >= 1:
                continue
            taper = min(np.float32(1), 5 * t, 5 * (1 - t))
            below = b - across_at(local, a)
            d = below - drop * taper
            sigma = (over if d < 0 else under) * (np.float32(0.5) + taper / 2)
            cover = LASH_COVER * amount * np.sqrt(taper) * np.exp(-((d / sigma) ** 2) / 2)
            skin = amount * min(max(np.float32(0.5) - d, np.float32(0)), np.float32(1))
            up = max(below, np.float32(0)) + 2 if below > -1 else np.float32(0)
            i = min(max(int(y - up * ax + np.float32(0.5)), 0), height - 1)
            j = min(max(int(x + up * ay + np.float32(0.5)), 0), width - 1)
            for ch in range(3):
                shown = out[y, x, ch] * (1 - skin) + out[i, j, ch] * skin
                out[y, x, ch] = np.uint8(shown + cover * (min(colour[ch], shown) - shown))
