"""An engine without a model: every picture says which step it is and how loud its sound was.

row 0    the step index, 16 cells of 16 px, most significant bit first, white is 1
row 1    the same inverted, so that a damaged picture is noticed
below    grey as bright as the loudness of the window
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

CELL, BITS = 16, 16


def paint_index(picture: np.ndarray, index: int) -> None:
    """Write the step index into the two upper rows of cells of a [S, S, 3] uint8 picture."""
    bits = (index >> np.arange(BITS - 1, -1, -1)) & 1
    for row, values in enumerate((bits, 1 - bits)):
        cells = np.repeat(16 + 219 * values, CELL).astype(np.uint8)
        picture[row * CELL : (row + 1) * CELL, : BITS * CELL] = cells[None, :, None]


def read_index(luma: np.ndarray) -> int | None:
    """The step index of a picture, [S, S] uint8, or None when it cannot be read."""
    cells = luma[CELL // 2 : 2 * CELL : CELL, CELL // 2 : BITS * CELL : CELL] > 125
    if not np.array_equal(cells[0], ~cells[1]):
        return None
    return int(cells[0] @ (1 << np.arange(BITS - 1, -1, -1)))


def read_brightness(luma: np.ndarray) -> float:
    """How bright the meter is, 0 .. 255, from [S, S] uint8."""
    return float(luma[3 * CELL :].mean())


class MeterStream:
    """One caller's meter."""

    def __init__(self, size: int) -> None:
        self.size, self.index, self.tint = size, 0, 0
        self.wants_camera = False
        self.settings: dict[str, Any] = {"emotion": {"neutral": 1.0}, "strength": 1.0}

    def step(self, features: np.ndarray, render: bool = True) -> np.ndarray | None:
        assert features.shape == (28, 12) and features.dtype == np.float32
        index, self.index = self.index, self.index + 1
        if not render:
            return None
        # the rows of the step's own 40 ms; digital silence and sound differ in every coefficient
        loudness = float(np.abs(features[-7:-3]).mean())
        grey = int(np.clip(20 + 8 * loudness, 20, 235))
        picture = np.full((self.size, self.size, 3), (grey, grey, max(grey, self.tint)), np.uint8)
        paint_index(picture, index)
        return picture

    def control(self, message: dict[str, Any]) -> dict[str, Any]:
        kind = message.get("type")
        if kind == "strength":
            value = message.get("value")
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"strength must be 0 to 1.5, got {value!r}")
            self.settings["strength"] = value
        elif kind == "emotion":
            weights = message.get("weights", {message.get("name"): 1.0})
            for name in weights:
                if name not in ("neutral", "happy"):
                    raise ValueError(f"unknown emotion {name!r}")
            self.settings["emotion"] = weights
        elif kind == "pose" and message.get("source") in ("idle", "none", "camera"):
            self.settings["pose"] = message["source"]
            self.wants_camera = message["source"] == "camera"
        else:
            raise ValueError(f"unknown control message {kind!r}")
        return dict(self.settings)

    def look(self, picture: np.ndarray) -> bool:
        return False

    def stop_looking(self) -> None:
        return None

    def set_portrait(self, encoded: Any) -> None:
        self.tint = encoded


class MeterEngine:
    """The meter for all callers."""

    lookahead_ms, first_coefficient = 80, 0

    def __init__(self, size: int = 512) -> None:
        self.size = size

    def open_stream(self, seed: int | None = None) -> MeterStream:
        return MeterStream(self.size)

    def encode_portrait(self, data: bytes) -> int:
        if not data.startswith(b"\x89PNG"):
            raise ValueError("this is not an image file")
        return 255

    def describe(self) -> dict[str, Any]:
        return {
            "model": "meter",
            "size": self.size,
            "emotions": ["neutral", "happy"],
            "poses": ["idle", "none", "camera"],
            "settings": {"emotion": {"neutral": 1.0}, "strength": 1.0, "pose": "idle"},
        }
