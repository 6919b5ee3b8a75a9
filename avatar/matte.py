"""Person and background of a portrait: a soft matte, and the picture without the person.

GrabCut (Rother et al. 2004), told by the face mesh where head and shoulders must and may be.
"""

from __future__ import annotations

import cv2
import numpy as np

CUT_SIDE = 192
"""GrabCut runs at this size, px; the edge is refined at full size."""
CUT_ROUNDS = 3
NO_RECTANGLE = (0, 0, 1, 1)
RELAXATIONS = 12
"""Steps towards a smooth membrane at every scale of the background's fill."""
MAX_BACKDROP_SLOPE = 3.0
"""Steepest change of a plain backdrop at CUT_SIDE, grey levels per px."""

# fmt: off
FACE_OVAL = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]
"""Contour of the face mesh."""
# fmt: on


def separate(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Separate a person from the background.

    Args:
        image: [S, S, 3] uint8 RGB, a portrait with head room.
        landmarks: [478, 3] float32, its face mesh in px.

    Returns:
        The matte [S, S] uint8, 255 where the person is, and the background [S, S, 3] uint8 RGB with
        the person filled in.
    """
    size = image.shape[0]
    scale = CUT_SIDE / size
    small = cv2.resize(image, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA)
    person = cut_person(small, landmarks[:, :2] * scale)
    matte = refine_edge(image, cv2.resize(person, (size, size), interpolation=cv2.INTER_CUBIC))
    return matte, fill_background(image, matte)


def cut_person(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The person as a coarse mask.

    Args:
        image: [S, S, 3] uint8 RGB.
        points: [478, 2] float, mesh points in px.

    Returns:
        [S, S] uint8, 0 or 255.
    """
    labels = seed_labels(points, image.shape[0])
    background, person = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # GrabCut starts its colour models at random
    known = (labels != cv2.GC_PR_BGD) | _smoothly_joined(image, labels)
    seeds = image[known][:, None], labels[known][:, None]
    cv2.grabCut(*seeds, NO_RECTANGLE, background, person, 0, cv2.GC_INIT_WITH_MASK)
    for mode, rounds in ((cv2.GC_EVAL_FREEZE_MODEL, 1), (cv2.GC_EVAL, CUT_ROUNDS)):
        cv2.grabCut(image, labels, NO_RECTANGLE, background, person, rounds, mode)
    mask = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8) * 255
    return _tidy(mask, points)


def seed_labels(points: np.ndarray, size: int) -> np.ndarray:
    """What GrabCut may assume, from the face mesh.

    Face and neck are the person for sure; the rest of a head with hair, and shoulders, probably;
    what is far from both is background for sure.

    Args:
        points: [478, 2] float, mesh points in px.
        size: side of the image, px.

    Returns:
        [size, size] uint8 of cv2.GC_BGD, GC_FGD, GC_PR_BGD, GC_PR_FGD.
    """
    top, chin, right, left = points[10], points[152], points[234], points[454]
    up, across = top - chin, left - right
    tall, wide = float(np.linalg.norm(up)), float(np.linalg.norm(across))
    up, across = up / tall, across / wide
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    middle = (top + chin + right + left) / 4
    wide = max(wide, 0.72 * tall)  # a turned face is narrower than its head

    labels = np.full((size, size), cv2.GC_BGD, np.uint8)
    _ellipse(labels, middle + 0.10 * tall * up, (1.15 * wide, 1.1 * tall), tilt, cv2.GC_PR_BGD)
    above = max(size // 8, round(chin[1] - 0.35 * tall))
    labels[above:] = cv2.GC_PR_BGD
    labels[:above, : size // 24] = labels[:above, -size // 24 :] = cv2.GC_BGD
    _ellipse(labels, middle + 0.16 * tall * up, (0.66 * wide, 0.72 * tall), tilt, cv2.GC_PR_FGD)
    labels[: size // 16, : size // 24] = labels[: size // 16, -size // 24 :] = cv2.GC_BGD
    _torso(labels, chin + np.array([0, 0.04 * tall]), 0.2 * wide, 1.05 * wide, 0.3 * tall)
    cv2.fillPoly(labels, [_px(points[FACE_OVAL])], cv2.GC_FGD)
    return labels


def _smoothly_joined(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where one comes from the sure background over open ground without crossing an edge.

    Teaches GrabCut the lower end of a backdrop that changes its colour from top to bottom.
    """
    soft = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32)
    slope = np.hypot(cv2.Sobel(soft, -1, 1, 0) / 8, cv2.Sobel(soft, -1, 0, 1) / 8).max(-1)
    open_ground = (slope < MAX_BACKDROP_SLOPE) & (labels != cv2.GC_PR_FGD) & (labels != cv2.GC_FGD)
    _, parts = cv2.connectedComponents(open_ground.astype(np.uint8), connectivity=4)
    joined = np.unique(parts[open_ground & (labels == cv2.GC_BGD)])
    return np.isin(parts, joined) & open_ground


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

    The hole is filled from its surroundings, coarse to fine, with the grain of what is visible.

    Args:
        image: [S, S, 3] uint8 RGB.
        matte: [S, S] uint8, 255 where the person is.

    Returns:
        [S, S, 3] uint8 RGB, equal to `image` where the matte is 0 at some distance from the person.
    """
    size = image.shape[0]
    hole = cv2.dilate(matte, _disc(size // 36)) > 8
    known = (~hole).astype(np.float32)
    if known.mean() < 0.01:
        return cv2.GaussianBlur(image, (0, 0), size / 8)
    filled = _spread(image.astype(np.float32), known)
    grain = _grain(image, known > 0)
    noisy = filled + grain * np.random.default_rng(0).standard_normal((size, size, 1))
    blend = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), size / 128)[..., None]
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


def _torso(
    labels: np.ndarray, neck: np.ndarray, neck_half: float, shoulder_half: float, drop: float
) -> None:
    """Mark neck to shoulders, `drop` px lower, and from there straight to the lower edge."""
    bottom = max(labels.shape[0], neck[1] + drop)
    half = np.array([neck_half, shoulder_half, shoulder_half])
    y = np.array([neck[1], neck[1] + drop, bottom])
    right, left = np.stack([neck[0] + half, y], 1), np.stack([neck[0] - half, y], 1)
    cv2.fillPoly(labels, [_px(np.concatenate([right, left[::-1]]))], cv2.GC_FGD)


def _ellipse(
    labels: np.ndarray, centre: np.ndarray, half: tuple[float, float], tilt: float, label: int
) -> None:
    box = (tuple(map(float, centre)), (2 * half[0], 2 * half[1]), tilt)
    cv2.ellipse(labels, box, label, cv2.FILLED)


def _px(points: np.ndarray) -> np.ndarray:
    return np.rint(points).astype(np.int32)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
