"""Person and background of a portrait: a soft matte, and the picture without the person.

A segmenter says where the person is (`avatar/segmenter.py`); where it is not sure, GrabCut (Rother
et al. 2004) asks the colours.
"""

from __future__ import annotations

import cv2
import numpy as np

from avatar.segmenter import find_person
from models.lite.mesh import FACE_OVAL

CUT_SIDE = 256
"""GrabCut runs at this size, that of the segmenter, px; the edge is refined at full size."""
CUT_ROUNDS = 3
NO_RECTANGLE = (0, 0, 1, 1)
WISP, POSSIBLE, PROBABLE, SURE = 0.02, 0.1, 0.5, 0.95
"""Likelihoods from which on a pixel may show single hairs, may be, is rather, and is the person."""
RELAXATIONS = 12
"""Steps towards a smooth membrane at every scale of the background's fill."""


def separate(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Separate a person from the background.

    Args:
        image: [S, S, 3] uint8 RGB, a portrait with head room.
        landmarks: [478, 3] float32, its face mesh in px.

    Returns:
        The matte [S, S] uint8, 255 where the person is, and the background [S, S, 3] uint8 RGB with
        the person filled in.

    Raises:
        TrackerUnavailable: the segmenter cannot run on this machine.
    """
    size = image.shape[0]
    likely = find_person(image)
    small, coarse = (
        cv2.resize(x, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA) for x in (image, likely)
    )
    person = cut_person(small, coarse, landmarks[:, :2] * CUT_SIDE / size)
    matte = refine_edge(image, cv2.resize(person, (size, size), interpolation=cv2.INTER_CUBIC))
    touched = np.maximum(matte, (likely > WISP).astype(np.uint8) * 255)
    return matte, fill_background(image, touched)


def cut_person(image: np.ndarray, likely: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The person as a coarse mask.

    Args:
        image: [S, S, 3] uint8 RGB.
        likely: [S, S] float32 0..1, where a segmenter sees a person.
        points: [478, 2] float, mesh points in px.

    Returns:
        [S, S] uint8, 0 or 255.
    """
    labels = np.full(likely.shape, cv2.GC_BGD, np.uint8)
    labels[likely > POSSIBLE] = cv2.GC_PR_BGD
    labels[likely > PROBABLE] = cv2.GC_PR_FGD
    labels[likely > SURE] = cv2.GC_FGD
    cv2.fillPoly(labels, [np.rint(points[FACE_OVAL]).astype(np.int32)], cv2.GC_FGD)
    if (labels == cv2.GC_BGD).any():
        background, person = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # GrabCut starts its colour models at random
        models = (background, person, CUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
        cv2.grabCut(image, labels, NO_RECTANGLE, *models)
    mask = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8) * 255
    return _tidy(mask, points)


def refine_edge(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Let the edge of a coarse mask follow the picture (guided filter, He et al. 2010).

    Args:
        image: [S, S, 3] uint8 RGB.
        mask: [S, S] uint8, 0 .. 255.

    Returns:
        [S, S] uint8, 0 .. 255, soft over some px.
    """
    size = image.shape[0]
    radius = max(2, size // 64)
    soft = cv2.GaussianBlur(mask, (0, 0), size / 256)
    guided = cv2.ximgproc.guidedFilter(image, soft.astype(np.float32) / 255, radius, 30.0)
    return np.rint(np.clip((guided - 0.1) / 0.8, 0, 1) * 255).astype(np.uint8)


def fill_background(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The picture without the person.

    The hole, with the gaps that it all but encloses, is filled from its surroundings, coarse to
    fine, with the grain of what is visible.

    Args:
        image: [S, S, 3] uint8 RGB.
        matte: [S, S] uint8, 255 wherever something of the person may show.

    Returns:
        [S, S, 3] uint8 RGB, equal to `image` where the matte is 0 at some distance from the person.
    """
    size = image.shape[0]
    near = cv2.dilate(matte, _disc(size // 100))
    hole = cv2.morphologyEx(near, cv2.MORPH_CLOSE, _disc(size // 36)) > 8
    known = (~hole).astype(np.float32)
    if known.mean() < 0.01:
        return cv2.GaussianBlur(image, (0, 0), size / 8)
    filled = _spread(image.astype(np.float32), known)
    grain = _grain(image, known > 0)
    noisy = filled + grain * np.random.default_rng(0).standard_normal((size, size, 1))
    blend = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), size / 256)[..., None]
    blend = np.maximum(blend, (matte > 8)[..., None])
    result = image + blend * (noisy - image)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _spread(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A membrane over the hole: averages of what is known, from coarse to fine, each relaxed."""
    height, width = known.shape
    if min(height, width) <= 2 or known.all():
        return image
    half = (max(1, width // 2), max(1, height // 2))
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(image * known[..., None], half, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-6)[..., None]
    coarse = _spread(colour, np.minimum(1, 2 * weight))
    up = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(RELAXATIONS):
        up = cv2.blur(up + known[..., None] * (image - up), (3, 3))
    return up + known[..., None] * (image - up)


def _grain(image: np.ndarray, known: np.ndarray) -> float:
    """Typical fine noise of the known part, grey levels: a median, so that edges do not count."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))
    return float(min(4.0, 1.48 * np.median(fine[known])))


def _tidy(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Keep the part that holds the face, close its holes, cut hairs of less than some px."""
    size = mask.shape[0]
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(max(1, size // 96)))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(max(1, size // 48)))
    _, parts = cv2.connectedComponents(mask)
    x, y = np.clip(np.rint(points[4]).astype(int), 0, size - 1)
    person = (parts == parts[y, x]).astype(np.uint8) * 255
    outlines, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), outlines, -1, 255, cv2.FILLED)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
