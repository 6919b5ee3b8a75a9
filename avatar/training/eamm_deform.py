"""Random smooth deformations, under which key points should move along (equivariance).

An affine map near the identity plus a thin-plate spline of random pulls at a grid of points
(Siarohin et al. 2019, section 3.2; kernel as in their code).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.fomm.geometry import coordinate_grid

AFFINE_SIGMA, SPLINE_SIGMA = 0.05, 0.005
N_CONTROL = 5
"""Control points of the spline per side."""


class Deformation(NamedTuple):
    """A batch of deformations of [-1, 1]^2.

    affine: [B, 2, 3].
    pulls: [B, 1, N_CONTROL^2], strength at every control point.
    """

    affine: Tensor
    pulls: Tensor

    def points(self, points: Tensor) -> Tensor:
        """Where points [B, N, 2] go, [B, N, 2]."""
        moved = points @ self.affine[:, :, :2].transpose(1, 2) + self.affine[:, None, :, 2]
        control = coordinate_grid(N_CONTROL, N_CONTROL, points).flatten(0, 1)
        distance = (points[:, :, None] - control).abs().sum(-1)  # [B, N, N_CONTROL^2]
        bend = distance.square() * torch.log(distance + 1e-6)
        return moved + (bend * self.pulls).sum(-1, keepdim=True)

    def images(self, images: Tensor) -> Tensor:
        """Pictures [B, C, H, W] deformed: pixel p shows what was at points(p)."""
        B, _, H, W = images.shape
        grid = coordinate_grid(H, W, images).flatten(0, 1).expand(B, -1, -1)
        where = self.points(grid).unflatten(1, (H, W))
        return F.grid_sample(images, where, padding_mode="reflection", align_corners=False)

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivative at points [B, N, 2] -> [B, N, 2, 2]; a gradient to the points runs through."""
        with torch.enable_grad():
            points = points if points.requires_grad else points.detach().requires_grad_()
            moved = self.points(points)
            rows = [
                torch.autograd.grad(moved[..., i].sum(), points, create_graph=True)[0]
                for i in range(2)
            ]
        return torch.stack(rows, dim=2)


def random_deformation(batch: int, random: torch.Generator, device: torch.device) -> Deformation:
    """Deformations drawn from a CPU generator."""
    noise = AFFINE_SIGMA * torch.randn(batch, 2, 3, generator=random)
    affine = torch.eye(2, 3) + noise
    pulls = SPLINE_SIGMA * torch.randn(batch, 1, N_CONTROL**2, generator=random)
    return Deformation(affine.to(device), pulls.to(device))
