"""Blocks that the First Order Motion Model and EAMM share.

Attribute names are those of the published state dicts. Sources: Siarohin et al., "First Order
Motion Model for Image Animation" (2019), appendix; Newell et al., "Stacked Hourglass" (2016).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Down(nn.Module):
    """Convolution 3x3, batch norm, ReLU, average over 2x2."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, H/2, W/2]."""
        return F.avg_pool2d(F.relu(self.norm(self.conv(x))), 2)


class Up(nn.Module):
    """Nearest x2, convolution 3x3, batch norm, ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, 2H, 2W]."""
        return F.relu(self.norm(self.conv(F.interpolate(x, scale_factor=2))))


class Same(nn.Module):
    """Convolution, batch norm, ReLU at the same resolution."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, H, W]."""
        return F.relu(self.norm(self.conv(x)))


class Residual(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(n), nn.Conv2d(n, n, 3, padding=1)
        self.norm2, self.conv2 = nn.BatchNorm2d(n), nn.Conv2d(n, n, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


class AntiAlias(nn.Module):
    """Gaussian blur and subsampling in one depthwise convolution.

    Args:
        stride: s; the blur's standard deviation is (s - 1) / 2 px.
    """

    weight: Tensor

    def __init__(self, stride: int = 4) -> None:
        super().__init__()
        self.stride = stride
        sigma = (stride - 1) / 2
        radius = round(4 * sigma)
        line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
        kernel = torch.outer(line, line)
        self.register_buffer("weight", (kernel / kernel.sum()).expand(3, 1, -1, -1).clone())

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, 3, H/s, W/s]."""
        padding = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight, stride=self.stride, padding=padding, groups=3)


class HourglassEncoder(nn.Module):
    """The way down."""

    def __init__(self, width: int, n_in: int, n_levels: int, most: int) -> None:
        super().__init__()
        widths = [n_in] + [min(most, width * 2 ** (i + 1)) for i in range(n_levels)]
        self.down_blocks = nn.ModuleList(Down(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the input and the output of every level, n + 1 maps."""
        maps = [x]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return maps


class HourglassDecoder(nn.Module):
    """The way up with skips from the encoder; the last skip is the input itself."""

    def __init__(self, width: int, n_levels: int, most: int) -> None:
        super().__init__()
        blocks = []
        for i in reversed(range(n_levels)):
            doubled = 1 if i == n_levels - 1 else 2
            n_in, n_out = min(most, width * 2 ** (i + 1)), min(most, width * 2**i)
            blocks.append(Up(doubled * n_in, n_out))
        self.up_blocks = nn.ModuleList(blocks)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The maps of the encoder -> [B, width + C, H, W]."""
        out = maps[-1]
        for block, skip in zip(self.up_blocks, reversed(maps[:-1]), strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return out


class Hourglass(nn.Module):
    """U-shaped network.

    Args:
        width: channels at full resolution; doubled by every level.
        n_in: C.
        n_levels: H and W are halved this many times.
        most: upper limit of the channels.
    """

    def __init__(self, width: int, n_in: int, n_levels: int, most: int) -> None:
        super().__init__()
        self.encoder = HourglassEncoder(width, n_in, n_levels, most)
        self.decoder = HourglassDecoder(width, n_levels, most)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, width + C, H, W]."""
        return self.decoder(self.encoder(x))
