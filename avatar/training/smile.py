"""Fits what a smile does to the light on a face (`models/lite/own_smile.py`).

    python -m avatar.train smile --data DIR

The skin of all portraits that may train weights is laid on the generic face. Where those of people
who smile are darker or lighter in the mean than those of people who do not, that is the smile's
shade; where they have more contrast, that is its folds, which lie in other places in everyone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from avatar.training.recordings import allowed
from models.lite.contours import OUTER_LOWER, OUTER_UPPER
from models.lite.mesh import FACE_OVAL, smoothstep
from models.lite.own_smile import (
    BROADEST,
    DARKEST,
    MAP_SCALE,
    MAP_SHAPE,
    SIZES,
    log_bands,
    map_places,
)
from models.lite.portrait import smile_score
from models.lite.rig import Rig, load_rig
from models.lite.warp import warp

FINER = 2
"""Pixels that the skins have for one of the maps."""
SIDE = 512
"""Side of the portraits, px."""
SMILES = ((0.08, 0.1), (0.92, 0.05))
"""Scores of faces at rest and of faces that smile, and their spread: the weights of portraits."""
SPREAD_POWER = 6.0
"""Power of the contrast that is left: the contrast of a place is a mean over portraits that have
their folds there and portraits that have them beside it."""
MOST_CONTRAST = 0.4
"""Largest contrast that counts, a logarithm: frames of glasses are larger."""
SMOOTH = 0.04
"""Over how far contrasts are averaged, inter-ocular distances."""
BELOW_EYES = (0.02, 0.2)
"""From the line of the eyes down to where the maps begin, inter-ocular distances."""
RIM, LIP_EDGE = 0.12, 0.02
"""Over how far they fade at the outline of the face, and around the lips."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train smile`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with a manifest")


def run(args: argparse.Namespace) -> None:
    """Lay the portraits on the generic face, fit the maps, write the weights.

    Raises:
        ValueError: the data folder has no manifest.
    """
    from models.checkpoints import save_tensors

    rig = load_rig()
    skins, smiles = read_skins(rig, args.data)
    shade, contrast = fit_light(skins, smiles)
    window = skin_window(_finer(map_places(rig.mesh.numpy()), FINER))
    tensors = {
        "shade": _shrunk(shade * window).astype(np.float16),
        "contrast": _shrunk(contrast * window).astype(np.float16),
    }
    at_rest, smiling = (_weights(smiles, *around) for around in SMILES)
    portraits = [round(float(1 / (w**2).sum()), 1) for w in (at_rest, smiling)]
    save_tensors("smile", tensors, {"portraits": len(smiles), "resting_and_smiling": portraits})
    print(f"{len(smiles)} portraits; at rest and smiling count as {portraits}")


def read_skins(rig: Rig, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Skins [N, h, w, 3] uint8 RGB on the generic face, FINER than a map, and smiles [N] 0..1."""
    from tqdm import tqdm

    from avatar.portrait import read_portrait
    from avatar.tracking import open_tracker

    tracker, skins, smiles = open_tracker(), [], []
    for name in tqdm(allowed(data, "portrait"), desc="portraits"):
        face, _ = read_portrait((data / "portraits" / name).read_bytes(), SIDE, tracker)
        skins.append(lay_out(rig, face.image, face.landmarks))
        smiles.append(smile_score(rig, face.blendshapes))
    return np.stack(skins), np.array(smiles)


def lay_out(rig: Rig, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The skin of a portrait [S, S, 3] uint8 on the generic face, averaged over 2 x 2 px."""
    height, width = FINER * np.array(MAP_SHAPE)
    out = np.zeros((2 * height, 2 * width, 3), np.uint8)
    opaque = np.ascontiguousarray(np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]))
    target = _finer(map_places(rig.mesh.numpy()), 2 * FINER).astype(np.float32)
    triangles = rig.triangles.numpy().astype(np.int32)
    warp(out, opaque, target, landmarks[:468, :2].astype(np.float32), triangles)
    return cv2.resize(out, (int(width), int(height)), interpolation=cv2.INTER_AREA)


def fit_light(skins: np.ndarray, smiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shade and contrast of a whole smile, both halves of the face alike.

    Args:
        skins: [N, h, w, 3] uint8.
        smiles: [N] float 0..1.

    Returns:
        [3, h, w] and [len(SIZES), h, w] float32, as in `SmileLight`, FINER and without window.
    """
    at_rest, smiling = (_weights(smiles, *around) for around in SMILES)
    seen = np.asarray(skins.any((0, 3)), np.float32)[..., None]
    shade = np.zeros(skins.shape[1:], np.float32)
    contrasts = np.zeros((2, len(SIZES), *skins.shape[1:3]), np.float32)
    for skin, *weights in zip(skins, at_rest, smiling, strict=True):
        whole = np.log(skin.astype(np.float32) + np.float32(DARKEST))
        levels = [whole, *(_smooth(whole, seen, size) for size in (*SIZES, BROADEST))]
        shade += (weights[1] - weights[0]) * (whole - levels[-1])
        bands = np.abs(log_bands(levels[:-1])).clip(max=MOST_CONTRAST).mean(-1)
        contrasts += np.multiply.outer(weights, bands).astype(np.float32)
    sigma = SMOOTH * MAP_SCALE * FINER
    rest, smile = ([cv2.GaussianBlur(_even(c), (0, 0), sigma) for c in cs] for cs in contrasts)
    left = np.clip(np.array(rest) / np.maximum(smile, 1e-3), 0, 1) ** SPREAD_POWER
    return _even(shade).transpose(2, 0, 1), 1 - left


def skin_window(places: np.ndarray) -> np.ndarray:
    """Where the maps hold, [h, w] float32 0..1: below the eyes, without the lips, not at the rim.

    Args:
        places: [468, 2], the generic face on a map that is FINER.
    """
    height, width = FINER * np.array(MAP_SHAPE)
    px = MAP_SCALE * FINER
    lips = _filled(places[np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]])], height, width)
    face = _filled(places[FACE_OVAL], height, width)
    inwards = cv2.distanceTransform(face, cv2.DIST_L2, 5) / px
    outwards = cv2.distanceTransform(1 - lips, cv2.DIST_L2, 5) / px
    eyes = places[[33, 263], 1].mean()
    below = smoothstep((np.arange(height) - eyes) / px, *BELOW_EYES)
    window = np.clip(inwards / RIM, 0, 1) * np.expand_dims(below, 1)
    return (window * (1 - np.exp(-0.5 * (outwards / LIP_EDGE) ** 2))).astype(np.float32)


def _weights(smiles: np.ndarray, score: float, spread: float) -> np.ndarray:
    """How much portraits count for a score, [N], summing to 1."""
    weights = np.exp(-0.5 * ((smiles - score) / spread) ** 2)
    return weights / weights.sum()


def _smooth(skin: np.ndarray, seen: np.ndarray, size: float) -> np.ndarray:
    """A skin [h, w, 3] blurred inside the face only."""
    sigma = size * MAP_SCALE * FINER
    share = cv2.GaussianBlur(seen, (0, 0), sigma)[..., None]
    return cv2.GaussianBlur(skin * seen, (0, 0), sigma) / np.maximum(share, 1e-3)


def _even(values: np.ndarray) -> np.ndarray:
    """The mean of a map [h, w, ...] that is FINER and its mirror image."""
    middle = _finer(map_places(np.zeros((1, 2))), FINER)[0, 0]
    return (values + np.roll(values[:, ::-1], round(2 * middle) + 1, axis=1)) / 2


def _finer(places: np.ndarray, factor: int) -> np.ndarray:
    """Places in a map [N, 2] in one that has `factor` px for each of its px."""
    return factor * places + (factor - 1) / 2


def _filled(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    """1 inside a polygon px [n, 2], else 0; [height, width] uint8."""
    return cv2.fillPoly(np.zeros((height, width), np.uint8), [np.rint(polygon).astype(np.int32)], 1)


def _shrunk(maps: np.ndarray) -> np.ndarray:
    """Maps [n, h, w] without what is FINER than MAP_SHAPE."""
    size = MAP_SHAPE[::-1]
    return np.stack([cv2.resize(m, size, interpolation=cv2.INTER_AREA) for m in maps])
