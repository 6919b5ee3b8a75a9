"""The warp of `models/lite/warp.py` with torch operators only, for a CUDA device.

Every pixel finds its triangle by testing tiles of pixels against the triangles whose boxes touch
the tile's row band; the last triangle that covers a pixel wins, as in drawing order.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

ROWS = 16
"""Pixel rows tested together."""
COVER = 1e-3


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
        background: np.ndarray,
        target: np.ndarray,
        source: np.ndarray,
        triangles: np.ndarray,
    ) -> None:
        """Draw a textured mesh into `out`; arguments as in `models.lite.warp.warp`."""
        to = self.device
        corners = torch.from_numpy(target).to(to)[torch.from_numpy(triangles).long().to(to)]
        texture = torch.from_numpy(source).to(to)[torch.from_numpy(triangles).long().to(to)]
        where, covered = source_map(corners, texture, *out.shape[:2])
        colour = _sample(torch.from_numpy(portrait).to(to), where)
        behind = torch.from_numpy(background).to(to).float()
        made = (colour[..., :3] + behind * (1 - colour[..., 3:] / 255)).round().clamp(0, 255)
        made = torch.where(covered[..., None], made, torch.from_numpy(out).to(to).float())
        out[...] = made.to(torch.uint8).cpu().numpy()


def source_map(corners: Tensor, texture: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where in the texture every pixel looks.

    Args:
        corners: [M, 3, 2] float32 px, triangles in drawing order.
        texture: [M, 3, 2] float32 px, their places in the texture.
        height, width: of the picture.

    Returns:
        [H, W, 2] float32 px (0 where nothing covers) and [H, W] bool, covered.
    """
    a, b, c = corners.unbind(1)
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    where = torch.zeros(height, width, 2, device=corners.device)
    covered = torch.zeros(height, width, dtype=torch.bool, device=corners.device)
    low, high = corners[..., 1].amin(1), corners[..., 1].amax(1)
    x = torch.arange(width, device=corners.device, dtype=torch.float32)
    for top in range(0, height, ROWS):
        y = torch.arange(top, min(top + ROWS, height), device=corners.device, dtype=torch.float32)
        touch = ((high >= top - 1) & (low <= top + ROWS) & (area.abs() > 1e-6)).nonzero()[:, 0]
        if len(touch) == 0:
            continue
        px = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # [rows, W, 2]
        arm = px[None] - a[touch, None, None]
        u = (arm[..., 0] * ac[touch, 1, None, None] - ac[touch, 0, None, None] * arm[..., 1]) / area[touch, None, None]
        v = (ab[touch, 0, None, None] * arm[..., 1] - arm[..., 0] * ab[touch, 1, None, None]) / area[touch, None, None]
        inside = (u >= -COVER) & (v >= -COVER) & (u + v <= 1 + COVER)
        order = torch.arange(1, len(touch) + 1, device=corners.device)[:, None, None]
        last, index = (inside * order).max(0)
        u, v = (t.gather(0, index[None])[0][..., None] for t in (u, v))
        t0, t1, t2 = texture[touch[index]].unbind(-2)
        where[top : top + ROWS] = t0 + u * (t1 - t0) + v * (t2 - t0)
        covered[top : top + ROWS] = last > 0
    return where, covered


def _sample(picture: Tensor, where: Tensor) -> Tensor:
    """Bilinear samples [H, W, C] float32 0..255 of a uint8 picture at px positions, clamped."""
    height, width = picture.shape[:2]
    scale = torch.tensor([2 / (width - 1), 2 / (height - 1)], device=where.device)
    texture = picture.permute(2, 0, 1)[None].float()
    sampled = grid_sample(
        texture, (where * scale - 1)[None], padding_mode="border", align_corners=True
    )
    return sampled[0].permute(1, 2, 0)
