"""G, the generator: the source's features, warped by F, become the driven picture."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.fomm.blocks import Down, Residual, Same, Up
from models.fomm.dense_motion import DenseMotion, MotionSource
from models.fomm.geometry import sample
from models.fomm.key_points import KeyPoints
from models.fomm.sizes import FommSizes


class Source(NamedTuple):
    """A source picture, encoded once: 10.3 of the 53.6 GMAC of a driven picture.

    features: [B, C, h, w].
    motion: what F needs.
    """

    features: Tensor
    motion: MotionSource


class Generator(nn.Module):
    """G with its F.

    Args:
        sizes: widths.
        align_corners: how flows are sampled, see `models.fomm.geometry.sample`.
    """

    def __init__(self, sizes: FommSizes, align_corners: bool = False) -> None:
        super().__init__()
        self.align_corners = align_corners
        widths = [min(sizes.generator_max, sizes.generator_width * 2**i) for i in range(3)]
        self.dense_motion_network = DenseMotion(sizes, align_corners)
        self.first = Same(3, widths[0], 7)
        self.down_blocks = nn.ModuleList(Down(widths[i], widths[i + 1]) for i in range(2))
        self.bottleneck = nn.Sequential()
        for i in range(sizes.n_bottleneck):
            self.bottleneck.add_module(f"r{i}", Residual(widths[2]))
        self.up_blocks = nn.ModuleList(Up(widths[i + 1], widths[i]) for i in reversed(range(2)))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    def encode(self, image: Tensor, points: KeyPoints) -> Source:
        """Everything about a source picture [B, 3, S, S], 0..1 RGB, with its key points."""
        features = self.first(image)
        for block in self.down_blocks:
            features = block(features)
        return Source(features, self.dense_motion_network.look(image, points))

    def decode(self, features: Tensor, flow: Tensor, occlusion: Tensor) -> Tensor:
        """The picture of warped features.

        Args:
            features: [B, C, h, w] of the source.
            flow: [B, h, w, 2], from F.
            occlusion: [B, 1, h, w] 0..1, from F.

        Returns:
            [B, 3, S, S], 0..1 RGB.
        """
        out = self.bottleneck(sample(features, flow, self.align_corners) * occlusion)
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out))

    def drive(self, source: Source, driving: KeyPoints) -> Tensor:
        """The source with other key points, [B, 3, S, S], 0..1 RGB."""
        flow, occlusion = self.dense_motion_network(source.motion, driving)
        return self.decode(source.features, flow, occlusion)

    def forward(self, image: Tensor, points: KeyPoints, driving: KeyPoints) -> Tensor:
        """The picture [B, 3, S, S] with key points `points`, driven to `driving`."""
        return self.drive(self.encode(image, points), driving)


def to_picture(images: Tensor, size: int) -> Tensor:
    """Network output as pictures, [B, 3, S, S] 0..1 -> [B, size, size, 3] uint8."""
    if images.shape[-1] != size:
        images = F.interpolate(images.float(), (size, size), mode="bicubic", antialias=True)
    return images.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
