"""Key points and jacobians: the heads that read them off a feature map, and the detector E_k."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.fomm.blocks import AntiAlias, Hourglass
from models.fomm.geometry import coordinate_grid, full_precision
from models.fomm.sizes import FommSizes

TEMPERATURE = 0.1
"""Divides the logits: small means sharp heat maps."""
KERNEL = 7


class KeyPoints(NamedTuple):
    """K points with the local linear motion around each.

    value: [B, K, 2] float32, -1..1, x first.
    jacobian: [B, K, 2, 2] float32.
    """

    value: Tensor
    jacobian: Tensor

    def flat(self) -> Tensor:
        """[B, K, 6]: x, y and the four entries of the jacobian."""
        return torch.cat([self.value, self.jacobian.flatten(2)], dim=-1)

    @classmethod
    def from_flat(cls, flat: Tensor) -> KeyPoints:
        """Key points of what `flat` gave."""
        return cls(flat[..., :2], flat[..., 2:].unflatten(-1, (2, 2)))


class KeyPointHeads(nn.Module):
    """Two convolutions that turn a feature map into key points; EAMM's sound uses them alone."""

    def __init__(self, sizes: FommSizes) -> None:
        super().__init__()
        K, C = sizes.n_points, sizes.map_channels
        self.kp = nn.Conv2d(C, K, KERNEL)
        self.jacobian = nn.Conv2d(C, 4 * K, KERNEL)
        nn.init.zeros_(self.jacobian.weight)
        self.jacobian.bias = nn.Parameter(torch.eye(2).flatten().repeat(K))

    def read(self, features: Tensor) -> tuple[KeyPoints, Tensor]:
        """Key points, and the heat maps that the training compares.

        Args:
            features: [B, C, h, w].

        Returns:
            The key points, and [B, K, h - 6, w - 6] that sums to 1 over the last two.
        """
        logits = self.kp(features).float()
        B, K, h, w = logits.shape
        local = self.jacobian(features).float().view(B, K, 4, h * w)
        with full_precision(logits):
            heat = torch.softmax(logits.flatten(2) / TEMPERATURE, dim=-1)  # [B, K, h w]
            value = heat @ coordinate_grid(h, w, heat).flatten(0, 1)  # [B, K, 2]
            jacobian = (local @ heat[..., None]).view(B, K, 2, 2)
        return KeyPoints(value, jacobian), heat.view(B, K, h, w)

    def forward(self, features: Tensor) -> KeyPoints:
        """Key points of [B, C, h, w]."""
        return self.read(features)[0]


class KeyPointDetector(KeyPointHeads):
    """E_k: the key points of a picture."""

    def __init__(self, sizes: FommSizes) -> None:
        super().__init__(sizes)
        self.predictor = Hourglass(sizes.detector_width, 3, sizes.n_levels, sizes.detector_max)
        self.down = AntiAlias()

    def detect(self, image: Tensor) -> tuple[KeyPoints, Tensor]:
        """Key points and heat maps of pictures [B, 3, S, S], 0..1 RGB."""
        return self.read(self.predictor(self.down(image)))

    def forward(self, image: Tensor) -> KeyPoints:
        """Key points of pictures [B, 3, S, S], 0..1 RGB."""
        return self.detect(image)[0]
