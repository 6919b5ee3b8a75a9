"""The upper teeth that a smiling portrait shows, kept as the upper layer of its mouth.

They belong to the skull, so they stay where they are in the portrait while lips and jaw move.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import (
    binary_closing,
    binary_opening,
    gaussian_filter,
    grey_closing,
    grey_opening,
    label,
    map_coordinates,
)

BRIGHT, RED = 0.6, 0.05
"""A tooth is at least this bright, as a share of the teeth's luma, and at most so much redder."""
PALER = 0.03
"""How much less red than the lip above them teeth are at least."""
FROM_LIP = 7
"""Layer pixels below the upper lip within which upper teeth begin; later ones are the lower."""
CROWN = 28
"""Longest crown, layer pixels."""
LEAST_HEIGHT, LEAST_WIDTH = 5, 0.4
"""Smallest median height, layer pixels, and width, share of the mouth, that are worth keeping."""
GAP = 11
"""Columns up to which a dark line between two teeth belongs to them, layer pixels."""
TOOTH = 15
"""What hangs down from the teeth's edge and is narrower, layer pixels, is lip or lower teeth."""
ABOVE = 12
"""Layer pixels above the portrait's lip over which the teeth are continued."""
PLAY = 5
"""Layer pixels by which the teeth's edge may differ from the generic one: a resting lip covers
them but for their edge, whatever the estimate of the resting lips says."""
NEIGHBOUR = 10
"""Columns of the outermost own teeth whose lower edge the generic ones beside them go on from."""
MOST_STEP = 14
"""Layer pixels by which these may move; at the top of the layer, far behind the lip, they wrap."""
EDGE = 0.8
"""Softness of the teeth's outline, layer pixels."""
GUM_RED, TOOTH_RED = 0.12, 0.06
"""Redness of what is gums or tongue, and of what is a tooth, in the layers."""
LEAST_GAIN, MOST_GAIN = 0.7, 1.3
"""How far the generic teeth may go towards the colour of the own ones."""
REDS = (1.0, -1.0, 0.0)
LUMA = (0.299, 0.587, 0.114)


def keep_own_teeth(
    upper: np.ndarray,
    lower: np.ndarray,
    image: np.ndarray,
    lips: np.ndarray,
    to_picture: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Both layers with the portrait's own teeth, or as they were where none are to be seen.

    The generic teeth beside and below the own ones take their colour.

    Args:
        upper: [h, w, 4] uint8, premultiplied, the toned generic upper layer.
        lower: [h, w, 4] uint8, premultiplied, the toned generic lower layer.
        image: [S, S, 3] uint8 RGB portrait.
        lips: [2, n, 2] float32 px, inner edges of upper and lower lip from corner to corner.
        to_picture: [2, 3] float, the affine map from layer to picture pixels.

    Returns:
        The upper and the lower layer, [h, w, 4] uint8, premultiplied.
    """
    height, width = upper.shape[:2]
    v, u = np.mgrid[:height, :width].astype(np.float32)
    where = np.einsum("ij,jhw->ihw", to_picture, np.stack([u, v, np.ones_like(u)]))
    colour = np.stack(
        [map_coordinates(image[..., c].astype(np.float32), where[::-1], order=1) for c in range(3)],
        axis=-1,
    )
    back = np.linalg.inv(to_picture[:, :2])
    top, bottom = (_rows((rim - to_picture[:, 2]) @ back.T, width) for rim in lips)
    first, last = _teeth_rows(colour, v, top, bottom)
    seen = last - first >= LEAST_HEIGHT
    columns = _widest(seen)
    mouth = np.isfinite(top).sum()
    if columns.sum() < LEAST_WIDTH * mouth or mouth == 0:
        return upper, lower
    first, last = (np.interp(u[0], u[0][columns & seen], r[columns & seen]) for r in (first, last))
    last = grey_opening(grey_closing(last, GAP), TOOTH)
    down = _to_edge(upper, last[columns])
    colour, first, last = np.roll(colour, down, axis=0), first + down, last + down
    gain = _gain(upper, colour, columns & (v > first) & (v < last))
    upper = _tinted(_beside(upper, columns, last), gain)
    return _laid_over(upper, colour, columns, first, last), _tinted(lower, gain)


def _laid_over(
    layer: np.ndarray, colour: np.ndarray, columns: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """The layer with the teeth of a picture [h, w, 3] in columns and rows [w] of it."""
    v = np.arange(len(layer))[:, None]
    shown = columns & (v <= last) & (v >= first - ABOVE)
    rows = np.clip(np.maximum(v, first + 1), 0, len(layer) - 1).astype(int)
    colour = np.take_along_axis(colour, rows[..., None], axis=0)
    share = gaussian_filter(shown.astype(np.float32), EDGE)[..., None]
    cleared = (columns & (v > first - ABOVE))[..., None] & (share < 0.5)
    generic = np.where(cleared, 0, layer)
    own = np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=-1)
    return np.rint(generic + share * (own - generic)).clip(0, 255).astype(np.uint8)


def _gain(generic: np.ndarray, colour: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Gain per channel [3] from the generic teeth to those that a picture shows at places."""
    teeth = (_tooth_share(generic) > 0.5) & (generic[..., 3] == 255)
    if not (teeth & shown).any():
        return np.ones(3)
    own, others = _lit(colour[shown]), _lit(generic[teeth & shown])
    return np.clip(own / others, LEAST_GAIN, MOST_GAIN)


def _tooth_share(layer: np.ndarray) -> np.ndarray:
    """How much of a layer's pixels is tooth, and not gums or tongue, [h, w] 0..1."""
    colour = layer[..., :3].astype(np.float32)
    red = colour @ np.array(REDS) / np.maximum(colour.sum(-1), 1)
    return np.clip((GUM_RED - red) / (GUM_RED - TOOTH_RED), 0, 1)


def _lit(pixels: np.ndarray) -> np.ndarray:
    """Mean colour [3] of the brighter half of pixels [n, >= 3], without what lies between teeth."""
    luma = pixels[:, :3] @ np.array(LUMA)
    return pixels[luma >= np.median(luma), :3].mean(0)


def _tinted(layer: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The layer with its teeth in another colour: gain per channel [3]."""
    share = _tooth_share(layer)[..., None]
    colour = layer[..., :3] * (1 + share * (gain - 1))
    alpha = layer[..., 3:]
    return np.concatenate([np.clip(np.rint(colour), 0, alpha), alpha], axis=-1).astype(np.uint8)


def _beside(layer: np.ndarray, columns: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The generic layer with its teeth on either side as far down as the own ones end there.

    Args:
        layer: [h, w, 4] uint8, premultiplied.
        columns: [w] bool, where own teeth are.
        last: [w] float, row of their lower edge.
    """
    out = layer.copy()
    edge = np.array([np.flatnonzero(a > 127).max(initial=0) for a in layer[..., 3].T])
    left, right = np.flatnonzero(columns)[[0, -1]]
    for side, near in (
        (slice(0, left), slice(left, left + NEIGHBOUR)),
        (slice(right + 1, None), slice(right + 1 - NEIGHBOUR, right + 1)),
    ):
        further = round(float(np.median(last[near]) - np.median(edge[near])))
        out[:, side] = np.roll(layer[:, side], np.clip(further, -MOST_STEP, MOST_STEP), axis=0)
    return out


def _to_edge(layer: np.ndarray, last: np.ndarray) -> int:
    """How far the teeth's lower edge [n] has to move down to where a resting lip leaves it."""
    middle = np.median(last[len(last) // 3 : max(2 * len(last) // 3, 1)])
    generic = np.flatnonzero(layer[:, layer.shape[1] // 2, 3] > 127).max()
    return round(float(np.clip(middle, generic - PLAY, generic + PLAY) - middle))


def _rows(rim: np.ndarray, width: int) -> np.ndarray:
    """Rows of a lip's edge [n, 2] in all columns of the layer, nan beyond its ends, [w]."""
    return np.interp(np.arange(width), rim[:, 0], rim[:, 1], left=np.nan, right=np.nan)


def _teeth_rows(
    colour: np.ndarray, v: np.ndarray, top: np.ndarray, bottom: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of the upper teeth in every column, [w] twice; equal where none are."""
    inside = (v > top + 0.5) & (v < bottom - 0.5)
    if not inside.any():
        return top, top
    luma, red = colour @ np.array(LUMA), colour @ np.array(REDS) / np.maximum(colour.sum(-1), 1)
    bright = inside & (luma >= np.percentile(luma[inside], 60))
    lip = (v < top - 2) & (v > top - 8)
    if np.median(red[lip]) - np.median(red[bright]) < PALER:
        return top, top
    tooth = inside & (luma > BRIGHT * np.median(luma[bright]))
    tooth &= red < np.median(red[bright]) + RED
    tooth = binary_opening(tooth, np.ones((2, 2)))
    first = tooth.argmax(0)
    begins = tooth.any(0) & (first - top < FROM_LIP)
    run = np.logical_and.accumulate(tooth | (v < first), axis=0).sum(0) - first
    last = first + np.where(begins, np.minimum(run, CROWN), 0)
    return first.astype(np.float32), last.astype(np.float32)


def _widest(columns: np.ndarray) -> np.ndarray:
    """The widest run of columns, gaps between teeth bridged."""
    parts, n = label(binary_closing(columns, np.ones(GAP)))
    if n == 0:
        return columns
    return parts == 1 + np.bincount(parts[parts > 0] - 1).argmax()
