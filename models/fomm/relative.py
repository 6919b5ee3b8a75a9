"""Relative motion: the change since the first driving picture moves the source's key points."""

from __future__ import annotations

import torch
from torch import Tensor

from models.fomm.geometry import inverse
from models.fomm.key_points import KeyPoints


def relative_motion(
    source: KeyPoints, driving: KeyPoints, first: KeyPoints, scale: Tensor | float = 1.0
) -> KeyPoints:
    """Key points x = x_s + (x - x_first) scale with jacobians J = J J_first^-1 J_s.

    Args:
        source: key points of the portrait.
        driving: key points of this step.
        first: key points of the first step.
        scale: of the movement, see `movement_scale`; a number or [B, 1, 1].
    """
    value = source.value + (driving.value - first.value) * scale
    return KeyPoints(value, driving.jacobian @ inverse(first.jacobian) @ source.jacobian)


def movement_scale(source: Tensor, first: Tensor) -> Tensor:
    """Size of the source's face relative to the driving one, sqrt of the ratio of the hulls' areas.

    Args:
        source: [1, K, 2], key points of the portrait.
        first: [B, K, 2], key points of the first driving picture.

    Returns:
        [B, 1, 1].
    """
    ratios = [hull_area(source[0]) / hull_area(points) for points in first]
    return torch.tensor(ratios, dtype=first.dtype, device=first.device).sqrt()[:, None, None]


def hull_area(points: Tensor) -> float:
    """Area of the convex hull of [K, 2] points (monotone chain, shoelace)."""
    ordered = sorted(map(tuple, points.tolist()))
    hull = _chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]
    pairs = zip(hull, hull[1:] + hull[:1], strict=True)
    return 0.5 * abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs))


def _chain(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Half of the hull: points in order that only ever turn one way."""
    chain: list[tuple[float, ...]] = []
    for x, y in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], (x, y)) <= 0:
            chain.pop()
        chain.append((x, y))
    return chain


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
