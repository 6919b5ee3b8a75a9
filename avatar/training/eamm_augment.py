"""Random changes of training pictures; every one takes its randomness from a numpy generator.

Pictures are [n, S, S, 3] uint8 RGB and stay so. Source: the published training code's settings.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.eamm.alignment import TEMPLATE_SIZE
from models.eamm.clip import mouth_rectangle

JITTER = 0.1
"""Of brightness, contrast, saturation and hue."""
ROTATION_DEG = 30.0
KEYSTONE, ENLARGE = (20, 30), (20, 40)
"""Of a random perspective, px in a picture of 256 px, the end left out: how far the lower corners
of a square move, and how far the square reaches beyond the picture."""


def flip(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """All pictures mirrored, or none."""
    return pictures[:, :, ::-1] if random.random() < 0.5 else pictures


def jitter_colour(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and hue of all pictures changed alike."""
    brightness, contrast, saturation = random.uniform(1 - JITTER, 1 + JITTER, 3)
    values = pictures.astype(np.float32) * brightness
    values = (values - values.mean()) * contrast + values.mean()
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    values = grey[..., None] + saturation * (values - grey[..., None])
    return _shift_hue(np.clip(values, 0, 255).round().astype(np.uint8), random)


def _shift_hue(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    shift = round(random.uniform(-JITTER, JITTER) * 180)
    turned = []
    for picture in pictures:
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + shift) % 180
        turned.append(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    return np.stack(turned)


def cover_mouths(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Noise over the mouth, drawn anew for every picture."""
    (left, right), (top, bottom) = mouth_rectangle(pictures.shape[1])
    covered = pictures.copy()
    shape = (len(pictures), bottom - top, right - left, 3)
    covered[:, top:bottom, left:right] = random.integers(0, 256, shape, np.uint8)
    return covered


def turn(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """All pictures rotated about their middle by one angle."""
    size = pictures.shape[1]
    angle = random.uniform(-ROTATION_DEG, ROTATION_DEG)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1.0)
    return np.stack([cv2.warpAffine(picture, matrix, (size, size)) for picture in pictures])


def perspective(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Every picture with a keystone of its own, edges repeated."""
    return np.stack([_keystone(picture, random) for picture in pictures])


def _keystone(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The lower corners of a square around or inside the picture move together or apart."""
    size = picture.shape[0]
    inwards, outwards = (
        random.integers(*span) * random.choice((-1, 1)) * size / TEMPLATE_SIZE
        for span in (KEYSTONE, ENLARGE)
    )
    low, high = -outwards, size + outwards
    corners = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32)
    moved = corners + np.array([[0, 0], [0, 0], [-inwards, 0], [inwards, 0]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(picture, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def emotional(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What the emotion extractor sees in training: mouth covered, mirrored, turned, shifted."""
    changed = flip(cover_mouths(pictures, random), random)
    return perspective(turn(changed, random), random)
