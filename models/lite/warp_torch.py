"""The warp of `models/lite/warp.py` with torch operators only, for a CUDA device.

Every pixel finds its triangle by testing tiles of pixels against the triangles whose boxes touch
the tile's row band; the last triangles that cover a pixel are seen, in drawing order.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

ROWS = 16
"""Pixel rows tested together."""
COVER = 2e-5
"""Share of a triangle by which it overlaps its neighbours, so that no crack opens between them."""
LAYERS = 4
"""Triangles that are seen at one pixel: two on each side of a fold, where their edges overlap."""


class TorchWarp:
    """A warp on a torch device; call it like `models.lite.warp.warp`.

    Args:
        device: a torch device; `cpu` works and serves to test the mathematics.
    """

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)

    @torch.inference_mode()
    def __call__(
        self,
        out: np.ndarray,
        portrait: np.ndarray,
        target: np.ndarray,
        source: np.ndarray,
        triangles: np.ndarray,
    ) -> None:
        """Draw a textured mesh into `out`; arguments as in `models.lite.warp.warp`."""
        to = self.device
        corners = torch.from_numpy(target).to(to)[torch.from_numpy(triangles).long().to(to)]
        texture = torch.from_numpy(source).to(to)[torch.from_numpy(triangles).long().to(to)]
        picture = torch.from_numpy(portrait).to(to)
        made = torch.from_numpy(out).to(to).float()
        for where, covered in zip(*source_maps(corners, texture, *out.shape[:2]), strict=True):
            colour = _sample(picture, where)
            over = (colour[..., :3] + made * (1 - colour[..., 3:] / 255)).round().clamp(0, 255)
            made = torch.where(covered[..., None], over, made)
        out[...] = made.to(torch.uint8).cpu().numpy()


def source_maps(corners: Tensor, texture: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where in the texture every pixel looks, in the last LAYERS of its triangles.

    Args:
        corners: [M, 3, 2] float32 px, triangles in drawing order.
        texture: [M, 3, 2] float32 px, their places in the texture.
        height: of the picture, px.
        width: of the picture, px.

    Returns:
        [LAYERS, H, W, 2] float32 px (0 where nothing covers) and [LAYERS, H, W] bool, covered.
    """
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    where = torch.zeros(LAYERS, height, width, 2, device=corners.device)
    covered = torch.zeros(LAYERS, height, width, dtype=torch.bool, device=corners.device)
    low, high = corners[..., 1].amin(1), corners[..., 1].amax(1)
    x = torch.arange(width, device=corners.device, dtype=torch.float32)
    for top in range(0, height, ROWS):
        y = torch.arange(top, min(top + ROWS, height), device=corners.device, dtype=torch.float32)
        touch = ((high >= top - 1) & (low <= top + ROWS) & (area.abs() > 1e-6)).nonzero()[:, 0]
        if len(touch) == 0:
            continue
        px = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # [rows, W, 2]
        u, v = _barycentric(px, corners[touch])
        inside = (u >= -COVER) & (v >= -COVER) & (u + v <= 1 + COVER)
        order = torch.arange(1, len(touch) + 1, device=corners.device)[:, None, None]
        drawn = inside * order
        for layer in reversed(range(LAYERS)):
            count, index = drawn.max(0)
            drawn = drawn * (order != count)
            du, dv = (t.gather(0, index[None])[0][..., None] for t in (u, v))
            t0, t1, t2 = texture[touch[index]].unbind(-2)
            where[layer, top : top + ROWS] = t0 + du * (t1 - t0) + dv * (t2 - t0)
            covered[layer, top : top + ROWS] = count > 0
    return where, covered


def _barycentric(px: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of the second and the third corner [n, 3, 2] at points [h, w, 2], each [n, h, w]."""
    a, b, c = corners[:, :, None, None].unbind(1)
    ab, ac, arm = b - a, c - a, px - a
    area = _cross(ab, ac)
    return _cross(arm, ac) / area, _cross(ab, arm) / area


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Twice the signed area of the triangles that vectors [..., 2] span."""
    return a[..., 0] * b[..., 1] - b[..., 0] * a[..., 1]


def _sample(picture: Tensor, where: Tensor) -> Tensor:
    """Bilinear samples [H, W, C] float32 0..255 of a uint8 picture at px positions, clamped."""
    height, width = picture.shape[:2]
    scale = torch.tensor([2 / (width - 1), 2 / (height - 1)], device=where.device)
    texture = picture.permute(2, 0, 1)[None].float()
    sampled = grid_sample(
        texture, (where * scale - 1)[None], padding_mode="border", align_corners=True
    )
    return sampled[0].permute(1, 2, 0)
