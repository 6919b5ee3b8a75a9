"""E_a, the audio encoder, in two parts as in the published state dict."""

from __future__ import annotations

from torch import Tensor, nn

from models.eamm.sizes import EammSizes

ROWS, COEFFICIENTS = 28, 12
"""Shape of an MFCC window."""


def _convolution(n_in: int, n_out: int) -> nn.Sequential:
    convolution = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.ReLU())


class AudioConvolutions(nn.Sequential):
    """Looks for patterns over time and coefficient: 28 x 12 -> 26 x 5 -> 12 x 2."""

    def __init__(self, sizes: EammSizes) -> None:
        w = sizes.audio_width
        super().__init__(
            _convolution(1, w),
            _convolution(w, 2 * w),
            nn.MaxPool2d(3, stride=(1, 2)),
            _convolution(2 * w, 4 * w),
            _convolution(4 * w, 4 * w),
            _convolution(4 * w, 8 * w),
            nn.MaxPool2d(3, stride=(2, 2)),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """MFCC windows [B, 28, 12] -> [B, 192 audio_width]."""
        return super().forward(windows[:, None]).flatten(1)


class AudioProjection(nn.Sequential):
    """Two layers: [B, 192 audio_width] -> [B, feature_dims], not negative."""

    def __init__(self, sizes: EammSizes) -> None:
        n_out = sizes.feature_dims
        first, second = nn.Linear(192 * sizes.audio_width, 8 * n_out), nn.Linear(8 * n_out, n_out)
        super().__init__(first, nn.ReLU(), second, nn.ReLU())
