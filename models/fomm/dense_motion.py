"""F, the dense motion: from two sets of key points to a flow field and an occlusion map.

Every key point proposes that the picture moves with it, z -> p_s + J_s J_d^-1 (z - p_d); one more
proposal is that nothing moves. A network looks at the source warped by each of them and mixes them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.fomm.blocks import AntiAlias, Hourglass
from models.fomm.geometry import coordinate_grid, full_precision, gaussian_maps, inverse, sample
from models.fomm.key_points import KeyPoints
from models.fomm.sizes import FommSizes

VARIANCE = 0.01
"""Of the bumps that show the network where the key points are."""


class MotionSource(NamedTuple):
    """What F needs of a source picture, made once.

    small: [B, 3, h, w], the picture at a quarter of its resolution.
    heat: [B, K, h, w], its key points as bumps.
    points: its key points.
    """

    small: Tensor
    heat: Tensor
    points: KeyPoints


class DenseMotion(nn.Module):
    """F."""

    def __init__(self, sizes: FommSizes, align_corners: bool = False) -> None:
        super().__init__()
        self.align_corners = align_corners
        n_motions = sizes.n_points + 1
        self.hourglass = Hourglass(
            sizes.motion_width, 4 * n_motions, sizes.n_levels, sizes.motion_max
        )
        n_features = sizes.motion_width + 4 * n_motions
        self.mask = nn.Conv2d(n_features, n_motions, 7, padding=3)
        self.occlusion = nn.Conv2d(n_features, 1, 7, padding=3)
        self.down = AntiAlias()

    def look(self, image: Tensor, points: KeyPoints) -> MotionSource:
        """What does not change while one picture [B, 3, S, S] is the source."""
        small = self.down(image)
        return MotionSource(small, gaussian_maps(points.value, small.shape[2:], VARIANCE), points)

    def forward(self, source: MotionSource, driving: KeyPoints) -> tuple[Tensor, Tensor]:
        """Where every pixel of the driven picture comes from.

        Args:
            source: from `look`.
            driving: the key points to be.

        Returns:
            Flow [B, h, w, 2] float32, coordinates in the source, and occlusion [B, 1, h, w] 0..1,
            0 where the source does not show what is needed.
        """
        with full_precision(driving.value):
            proposals = self._proposals(source, driving)  # [B, K + 1, h, w, 2]
        features = self.hourglass(self._inputs(source, driving, proposals))
        mask = torch.softmax(self.mask(features).float(), dim=1)
        with full_precision(mask):
            flow = torch.einsum("bkhw,bkhwi->bhwi", mask, proposals)
        return flow, torch.sigmoid(self.occlusion(features))

    def _proposals(self, source: MotionSource, driving: KeyPoints) -> Tensor:
        h, w = source.heat.shape[2:]
        grid = coordinate_grid(h, w, driving.value)
        turn = source.points.jacobian @ inverse(driving.jacobian)  # [B, K, 2, 2]
        arm = grid - driving.value[:, :, None, None]  # [B, K, h, w, 2]
        moved = torch.einsum("bkij,bkhwj->bkhwi", turn, arm)
        moved = moved + source.points.value[:, :, None, None]
        return torch.cat([grid.expand(len(moved), 1, h, w, 2), moved], dim=1)

    def _inputs(self, source: MotionSource, driving: KeyPoints, proposals: Tensor) -> Tensor:
        """Per proposal the difference of the bumps and the warped picture, [B, 4 (K + 1), h, w]."""
        B, n_motions, h, w, _ = proposals.shape
        heat = gaussian_maps(driving.value, (h, w), VARIANCE) - source.heat
        heat = torch.cat([torch.zeros_like(heat[:, :1]), heat], dim=1)
        copies = source.small[:, None].expand(B, n_motions, 3, h, w).flatten(0, 1)
        warped = sample(copies, proposals.flatten(0, 1), self.align_corners)
        warped = warped.view(B, n_motions, 3, h, w)
        return torch.cat([heat.to(warped.dtype)[:, :, None], warped], dim=2).flatten(1, 2)
