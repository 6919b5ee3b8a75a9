"""The pictures of an emotion clip as E_e sees them: held still, mouth covered, 8 bits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.eamm.alignment import (
    STEADY,
    TEMPLATE_SIZE,
    similarity,
    to_68,
    to_template,
    transform,
    warp_image,
)

MOUTH_X, MOUTH_Y = (85, 185), (160, 220)
"""The covered rectangle in a picture of 256 px."""
RAISED_PX = 10.0
"""How much higher the clips of some emotions lie, in a picture of 256 px."""
NOISE_SEED = 0


def hold_still(
    pictures: np.ndarray,
    landmarks: np.ndarray,
    size: int,
    template: np.ndarray | None = None,
    up: float = 0.0,
) -> Tensor:
    """Lay the first picture on the template and every other one on the first.

    Args:
        pictures: [T, H, W, 3] uint8 RGB.
        landmarks: [T, 478, 3] float32, face mesh in px of the pictures.
        size: side of the result, px.
        template: as in `models.eamm.alignment.to_template`.
        up: how far above the template, px in a picture of 256 px.

    Returns:
        [T, 3, size, size] float32 0..1 RGB.
    """
    points = to_68(landmarks)
    reference = transform(to_template(points[0], size, template), points[0])[STEADY]
    reference = reference - [0, up * size / TEMPLATE_SIZE]
    return torch.cat(
        [
            warp_image(picture, similarity(own[STEADY], reference), size)
            for picture, own in zip(pictures, points, strict=True)
        ]
    )


def cover_mouth(images: Tensor, noise: Tensor) -> Tensor:
    """Fill the rectangle of the mouth, which speaks of the words and not of the emotion.

    Args:
        images: [B, 3, S, S] 0..1.
        noise: [B or 1, 3, h, w] 0..1, from `mouth_noise`.

    Returns:
        [B, 3, S, S], quantised to 8 bits as in the training.
    """
    (left, right), (top, bottom) = mouth_rectangle(images.shape[-1])
    covered = images.clone()
    covered[:, :, top:bottom, left:right] = noise
    return (covered * 255).round() / 255


def mouth_noise(n: int, size: int, seed: int = NOISE_SEED) -> Tensor:
    """Uniform noise for the mouths of n pictures of side `size`, [n, 3, h, w] float32 0..1."""
    (left, right), (top, bottom) = mouth_rectangle(size)
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, bottom - top, right - left, generator=random)


def mouth_rectangle(size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The covered rectangle in a picture of side `size`: (left, right) and (top, bottom), px."""
    (left, right), (top, bottom) = (
        (round(a * size / TEMPLATE_SIZE), round(b * size / TEMPLATE_SIZE))
        for a, b in (MOUTH_X, MOUTH_Y)
    )
    return (left, right), (top, bottom)
