"""Coordinates of the First Order Motion Model: x first, first pixel at -1 and last at +1."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Switches mixed precision off: coordinates need more than eight bits."""
    if not torch.amp.is_autocast_available(like.device.type):
        return nullcontext()
    return torch.autocast(like.device.type, enabled=False)


def coordinate_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Coordinates of every pixel, [H, W, 2] (x, y), in dtype and device of `like`."""
    x = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    y = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def gaussian_maps(points: Tensor, size: Sequence[int], variance: float) -> Tensor:
    """A bump of height 1 at every point, points [B, K, 2] -> [B, K, *size]."""
    distance = coordinate_grid(size[0], size[1], points) - points[:, :, None, None]
    return torch.exp(-0.5 * distance.square().sum(-1) / variance)


def sample(image: Tensor, where: Tensor, align_corners: bool) -> Tensor:
    """Bilinear samples, zeros outside.

    Args:
        image: [B, C, H, W].
        where: [B, h, w, 2], coordinates in `image`, x first.
        align_corners: whether -1 and 1 mean the centres of the outermost pixels. The grids here say
            so, but the published weights are run with False: an identity flow then zooms by
            (H - 1) / H and darkens the border.

    Returns:
        [B, C, h, w] in dtype of `image`.
    """
    return F.grid_sample(
        image, where.to(image.dtype), padding_mode="zeros", align_corners=align_corners
    )


def inverse(matrix: Tensor) -> Tensor:
    """Inverse of [..., 2, 2] matrices in closed form; infinite where singular."""
    a, b, c, d = matrix.flatten(-2).unbind(-1)
    adjugate = torch.stack([d, -b, -c, a], dim=-1).unflatten(-1, (2, 2))
    return adjugate / (a * d - b * c)[..., None, None]
