"""Bit rates of the picture; `streaming.peer.set_vp8_bitrate` puts them into force."""

from __future__ import annotations

from dataclasses import dataclass

BITS_PER_PIXEL = 6
"""Start of VP8 in bits a second and pixel: 1.5 Mb/s at 512 px."""
LEAST, MOST = 50_000, 50_000_000
"""Rates that a VP8 encoder can be asked for, bits a second."""


@dataclass(frozen=True)
class BitRates:
    """What a VP8 sender starts with and may be moved between by its receiver, bits a second."""

    start: int
    lowest: int
    highest: int

    def __post_init__(self) -> None:
        """Check the order.

        Raises:
            ValueError: one line for the user.
        """
        if not LEAST <= self.lowest <= self.start <= self.highest <= MOST:
            rates = ", ".join(f"{r / 1000:g}" for r in (self.lowest, self.start, self.highest))
            raise ValueError(
                f"bit rates must be {LEAST // 1000} <= lowest <= start <= highest <= "
                f"{MOST // 1000} kbit/s, got {rates}"
            )

    @classmethod
    def of_picture(
        cls,
        size: int,
        start: int | None = None,
        lowest: int | None = None,
        highest: int | None = None,
    ) -> BitRates:
        """The rates for a square picture of `size` px; what is given replaces the default.

        Raises:
            ValueError: one line for the user when the rates are out of order.
        """
        if start is None:
            start = min(max(BITS_PER_PIXEL * size**2, lowest or LEAST), highest or MOST)
        if lowest is None:
            lowest = min(max(start // 4, LEAST), start)
        return cls(start, lowest, min(2 * start, MOST) if highest is None else highest)
