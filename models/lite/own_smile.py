"""The light of a portrait's own smile, taken off its skin.

Taking the smile off the mesh leaves what it does to the skin's shading: folds from nose to mouth,
hollows in the cheeks, dimples. How much darker or lighter a smile makes each place of a face, and
how much of the contrast there it brings, is fitted on the portraits of many people by
`avatar/training/smile.py`; here both come off one portrait, as far as its owner smiled. What is
finer than a fold stays: pores, stubble, moles.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter, map_coordinates

from models.checkpoints import load_tensors
from models.lite.mesh import smoothstep
from models.lite.wrinkles import Fold, empty_fold, places

MAP_SHAPE = (96, 80)
MAP_SCALE = 40.0
MAP_ORIGIN = (40.0, 32.0)
"""Rows and columns of a map of the generic face, its px per inter-ocular distance, and where in it
the origin of the face frame is, x and y."""
SIZES = (0.0125, 0.025, 0.05, 0.1)
"""Sizes between which contrast is weighed, in bands from fine to broad, inter-ocular distances."""
BROADEST = 0.2
"""Size above which light is the portrait's own."""
WHOLE_SMILE = 0.9
"""Score of a smile that the maps stand for; the portraits that smile most reach it."""
DARKEST = 8.0
"""Grey levels added before logarithms are taken."""
PLAY = 0.05
"""How far beyond its surroundings' brightness a place may be taken, as a logarithm: a fold that is
deeper in other people does not become a ridge."""
DARK = (-1.2, -0.7)
"""How much darker than the middle of the face's skin hair is, and skin at most; logarithms."""
LEAST_SKIN = 1e-3
EYES = (159, 386)


class SmileLight(NamedTuple):
    """What a whole smile does to the skin of a face.

    shade: [3, *MAP_SHAPE] float32, what it adds to the logarithms of red, green and blue.
    contrast: [len(SIZES), *MAP_SHAPE] float32 0..1, the share of a band's contrast it brings.
    """

    shade: np.ndarray
    contrast: np.ndarray


@cache
def load_smile_light() -> SmileLight:
    """The shipped maps."""
    tensors, _ = load_tensors("smile")
    return SmileLight(*(tensors[name].float().numpy() for name in SmileLight._fields))


def map_places(mesh: np.ndarray) -> np.ndarray:
    """Where points of the generic face [N, >= 2], face frame, are in a map, px [N, 2]."""
    return mesh[:, :2] * MAP_SCALE + np.array(MAP_ORIGIN)


def own_smile(
    image: np.ndarray, landmarks: np.ndarray, scale: float, mesh: np.ndarray, smile: float
) -> Fold:
    """The change of brightness that takes a portrait's own smile off its skin.

    Args:
        image: [S, S, 3] uint8 RGB.
        landmarks: [>= 468, >= 2] float32 px.
        scale: px per inter-ocular distance.
        mesh: [468, 3] float32, the generic face.
        smile: the tracker's score of the portrait's smile, 0..1.
    """
    p = landmarks[:468, :2]
    amount = min(smile / WHOLE_SMILE, 1.0)
    fold = empty_fold(p[p[:, 1] >= p[list(EYES), 1].min()], 0, image.shape[0])
    height, width = fold.shade.shape[:2]
    at = LinearNDInterpolator(p, map_places(mesh), fill_value=-1.0)(places(fold))[..., ::-1]
    shade, contrast = (np.stack([_sample(m, at) for m in maps]) for maps in load_smile_light())
    part = image[fold.top : fold.top + height, fold.left : fold.left + width]
    whole = np.log(part.astype(np.float32) + np.float32(DARKEST))
    skin = _skin(whole.mean(-1), at[..., 0] >= 0, scale)
    levels = [whole, *(_smooth(whole, skin, size * scale) for size in (*SIZES, BROADEST))]
    change = -shade.transpose(1, 2, 0)
    for share, band in zip(contrast, log_bands(levels[:-1]), strict=True):
        change -= share[..., None] * band
    change *= amount * skin[..., None]
    detail = levels[0] - levels[-1]
    evened = np.clip(detail + change, np.minimum(detail, -PLAY), np.maximum(detail, PLAY))
    return fold._replace(shade=np.expm1(evened - detail).astype(np.float32))


def log_bands(levels: list[np.ndarray]) -> list[np.ndarray]:
    """Bands between a picture and its ever smoother versions."""
    return [fine - broad for fine, broad in pairwise(levels)]


def _skin(bright: np.ndarray, inside: np.ndarray, scale: float) -> np.ndarray:
    """How far pixels are skin, by the brightness (logarithm) around them, [h, w] 0..1."""
    darker = gaussian_filter(bright, SIZES[2] * scale) - np.median(bright[inside])
    skin = (inside * smoothstep(darker, *DARK)).astype(np.float32)
    return skin * gaussian_filter(skin, SIZES[1] * scale)


def _smooth(whole: np.ndarray, skin: np.ndarray, sigma: float) -> np.ndarray:
    """A picture [h, w, 3] blurred by sigma px over the skin [h, w] only."""
    share = gaussian_filter(skin, sigma, truncate=2)[..., None]
    blurred = gaussian_filter(whole * skin[..., None], (sigma, sigma, 0), truncate=2)
    return blurred / np.maximum(share, LEAST_SKIN)


def _sample(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A map [h, w] at places [..., 2], rows first; 0 outside."""
    return map_coordinates(values, np.moveaxis(at, -1, 0), order=1, mode="constant")
