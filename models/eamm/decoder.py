"""D, the decoder: one vector per picture becomes the map that the key-point heads read."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from models.eamm.sizes import EammSizes


class MapDecoder(nn.Sequential):
    """Transposed convolutions: 1 px -> 4 px, then doubled until the map's side is reached."""

    def __init__(self, sizes: EammSizes) -> None:
        n_doublings = (sizes.fomm.map_size // 4).bit_length() - 1
        h, w, C = sizes.hidden_dims, sizes.decoder_width, sizes.fomm.map_channels
        widths = [h, *[w] * (n_doublings - 1), C]
        layers: list[nn.Module] = [nn.ConvTranspose2d(h, h, 6, stride=2, padding=1)]
        for a, b in pairwise(widths):
            double = nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)
            layers += [nn.BatchNorm2d(a), nn.ReLU(), double]
        super().__init__(*layers)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, hidden_dims] -> [B, C, h, w]."""
        return super().forward(hidden[:, :, None, None])
