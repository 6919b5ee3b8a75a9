"""E_I, the identity encoder: who is in the portrait, for the audio-to-motion network."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from models.eamm.sizes import EammSizes
from models.fomm.blocks import Down


class IdentityEncoder(nn.Sequential):
    """Halves the picture until one pixel is left."""

    def __init__(self, sizes: EammSizes) -> None:
        n_blocks = sizes.fomm.image_size.bit_length() - 1
        widths = [3] + [sizes.identity_width * 2**i for i in range(n_blocks)]
        super().__init__(*(Down(a, b) for a, b in pairwise(widths)))

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, S, S], 0..1 RGB -> [B, identity_dims]."""
        return super().forward(image).flatten(1)
