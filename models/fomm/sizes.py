"""Widths of the First Order Motion Model; the defaults are those of the published vox-256 files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FommSizes:
    """Sizes of E_k, F and G.

    Raises:
        ValueError: the picture is too small for the hourglasses.
    """

    # picture
    image_size: int = 256
    n_points: int = 10
    # hourglasses of E_k, F and E_e, which work at a quarter of the picture's resolution
    n_levels: int = 5
    detector_width: int = 32
    detector_max: int = 1024
    motion_width: int = 64
    motion_max: int = 1024
    # generator
    generator_width: int = 64
    generator_max: int = 512
    n_bottleneck: int = 6

    def __post_init__(self) -> None:
        if self.image_size % (4 * 2**self.n_levels):
            raise ValueError(
                f"image_size must be a multiple of {4 * 2**self.n_levels}, got {self.image_size}"
            )

    @property
    def map_size(self) -> int:
        """Side of the feature maps of key points and motion, px."""
        return self.image_size // 4

    @property
    def map_channels(self) -> int:
        """Channels of the map that the key-point heads read: the hourglass and its RGB input."""
        return self.detector_width + 3
