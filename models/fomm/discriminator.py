"""The discriminator of adversarial training (vox-adv); EAMM never trains one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

from models.fomm.geometry import gaussian_maps

VARIANCE = 0.01


class DiscriminatorBlock(nn.Module):
    """Convolution 4x4 without padding, instance norm, leaky ReLU, average over 2x2 unless last."""

    def __init__(self, conv: nn.Module, n_out: int, norm: bool, pool: bool) -> None:
        super().__init__()
        self.conv, self.pool = conv, pool
        self.norm = nn.InstanceNorm2d(n_out, affine=True) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, h, w]."""
        out = self.conv(x)
        out = F.leaky_relu(self.norm(out) if self.norm else out, 0.2)
        return F.avg_pool2d(out, 2) if self.pool else out


class ScaleDiscriminator(nn.Module):
    """Judges patches of pictures at one scale."""

    def __init__(self, n_in: int, width: int, most: int, n_blocks: int, spectral: bool) -> None:
        super().__init__()
        keep: Callable[[nn.Module], nn.Module] = spectral_norm if spectral else _unchanged
        widths = [n_in] + [min(most, width * 2 ** (i + 1)) for i in range(n_blocks)]
        self.down_blocks = nn.ModuleList(
            DiscriminatorBlock(keep(nn.Conv2d(a, b, 4)), b, norm=i > 0, pool=i < n_blocks - 1)
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.conv = keep(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """[B, C, S, S] -> the blocks' feature maps and patch scores [B, 1, s, s]."""
        maps = []
        for block in self.down_blocks:
            x = block(x)
            maps.append(x)
        return maps, self.conv(x)


class Discriminator(nn.Module):
    """The discriminator at the one scale that the published configurations use.

    Args:
        width: of the first block is twice this.
        most: upper limit of the channels.
        n_blocks: number of blocks.
        spectral: spectral norm (vox); vox-adv has none.
        n_points: K bumps at the key points join the picture (vox-adv: 10, vox: 0).
    """

    def __init__(
        self,
        width: int = 32,
        most: int = 512,
        n_blocks: int = 4,
        spectral: bool = True,
        n_points: int = 0,
    ) -> None:
        super().__init__()
        self.n_points = n_points
        judge = ScaleDiscriminator(3 + n_points, width, most, n_blocks, spectral)
        self.discs = nn.ModuleDict({"1": judge})

    def forward(self, image: Tensor, points: Tensor) -> tuple[list[Tensor], Tensor]:
        """Feature maps and patch scores of pictures [B, 3, S, S] with key points [B, K, 2]."""
        if self.n_points:
            image = torch.cat([image, gaussian_maps(points, image.shape[2:], VARIANCE)], dim=1)
        return self.discs["1"](image)


def _unchanged(module: nn.Module) -> nn.Module:
    return module
