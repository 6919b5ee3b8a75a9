"""The CPU warp: draws the portrait's triangles where the motion puts them, over what is there.

One pass over the covered pixels: affine source coordinates per triangle, bilinear samples of the
premultiplied portrait in 8-bit fixed point, composited at once. `models/lite/warp_torch.py` is the
same mathematics for a GPU.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numba import njit

COVER = 1e-3
"""Pixels by which triangles overlap, so that no crack opens between neighbours."""


class Warp(Protocol):
    """Draws a textured mesh over a picture; see `warp` for the arguments."""

    def __call__(
        self,
        out: np.ndarray,
        portrait: np.ndarray,
        target: np.ndarray,
        source: np.ndarray,
        triangles: np.ndarray,
    ) -> None:
        """Draw the mesh into `out`."""
        ...


@njit(cache=True, nogil=True, fastmath=True)
def warp(
    out: np.ndarray,
    portrait: np.ndarray,
    target: np.ndarray,
    source: np.ndarray,
    triangles: np.ndarray,
) -> None:
    """Draw a textured mesh into `out`, whichever side its triangles show: a fold leaves no hole.

    Args:
        out: [H, W, 3] uint8 RGB, holds the background, which stays where the matte is not 255.
        portrait: [H, W, 4] uint8, RGB premultiplied by the matte, and the matte.
        target: [N, 2] float32, where the vertices are in `out`, px, with pixel centres at whole
            numbers.
        source: [N, 2] float32, where the vertices are in `portrait`, px.
        triangles: [M, 3] int32, drawn in this order.
    """
    height, width = out.shape[:2]
    for m in range(triangles.shape[0]):
        a, b, c = triangles[m, 0], triangles[m, 1], triangles[m, 2]
        ax, ay, bx, by, cx, cy = (
            target[a, 0], target[a, 1], target[b, 0], target[b, 1], target[c, 0], target[c, 1],
        )  # fmt: skip
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) <= 1e-6:
            continue
        ux = (
            (source[b, 0] - source[a, 0]) * (cy - ay) - (source[c, 0] - source[a, 0]) * (by - ay)
        ) / area
        uy = (
            (source[c, 0] - source[a, 0]) * (bx - ax) - (source[b, 0] - source[a, 0]) * (cx - ax)
        ) / area
        vx = (
            (source[b, 1] - source[a, 1]) * (cy - ay) - (source[c, 1] - source[a, 1]) * (by - ay)
        ) / area
        vy = (
            (source[c, 1] - source[a, 1]) * (bx - ax) - (source[b, 1] - source[a, 1]) * (cx - ax)
        ) / area
        first = max(0, int(np.ceil(min(ay, by, cy) - COVER)))
        last = min(height - 1, int(np.floor(max(ay, by, cy) + COVER)))
        for y in range(first, last + 1):
            left, right = _span(ax, ay, bx, by, cx, cy, np.float32(y))
            x0 = max(0, int(np.ceil(left - COVER)))
            x1 = min(width - 1, int(np.floor(right + COVER)))
            u = source[a, 0] + ux * (x0 - ax) + uy * (y - ay)
            v = source[a, 1] + vx * (x0 - ax) + vy * (y - ay)
            for x in range(x0, x1 + 1):
                _sample(out, portrait, y, x, u, v)
                u += ux
                v += vx


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _span(ax, ay, bx, by, cx, cy, y):  # type: ignore[no-untyped-def]
    """Left and right end of a triangle on the line y; rows just outside take the nearest point."""
    left, right = np.float32(1e9), np.float32(-1e9)
    for x0, y0, x1, y1 in ((ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay)):
        low, high = min(y0, y1), max(y0, y1)
        if low - COVER <= y <= high + COVER:
            if high - low < 1e-6:
                left, right = min(left, x0, x1), max(right, x0, x1)
            else:
                t = min(max((y - y0) / (y1 - y0), np.float32(0)), np.float32(1))
                x = x0 + t * (x1 - x0)
                left, right = min(left, x), max(right, x)
    return left, right


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _sample(out, portrait, y, x, u, v):  # type: ignore[no-untyped-def]
    """One pixel: bilinear sample at (u, v), clamped to the picture, over what is there."""
    height, width = portrait.shape[:2]
    u = min(max(u, np.float32(0)), np.float32(width - 1.001))
    v = min(max(v, np.float32(0)), np.float32(height - 1.001))
    i, j = int(v), int(u)
    fu, fv = int((u - j) * 256), int((v - i) * 256)
    w11 = (fu * fv) >> 8
    w01, w10 = fu - w11, fv - w11
    w00 = 256 - fu - fv + w11
    alpha = (
        portrait[i, j, 3] * w00 + portrait[i, j + 1, 3] * w01
        + portrait[i + 1, j, 3] * w10 + portrait[i + 1, j + 1, 3] * w11 + 128
    ) >> 8  # fmt: skip
    if alpha == 0:
        return
    for ch in range(3):
        value = (
            portrait[i, j, ch] * w00 + portrait[i, j + 1, ch] * w01
            + portrait[i + 1, j, ch] * w10 + portrait[i + 1, j + 1, ch] * w11 + 128
        ) >> 8  # fmt: skip
        if alpha < 255:
            value += (out[y, x, ch] * (255 - alpha) + 127) // 255
        out[y, x, ch] = min(value, 255)
