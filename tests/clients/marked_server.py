"""`python -m tests.clients.marked_server OPTIONS...`: `avatar.serve`, whose pictures can be placed.

The ordinary server with the ordinary model; in the left upper corner of every picture is the
painted meter: the number of the step, and under it grey as bright as the step's sound is loud.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from avatar import engine, serve
from tests.streaming.meter import BITS, CELL, MeterStream

MARK = (slice(0, 3 * CELL), slice(0, BITS * CELL))


class MarkedStream(engine.AvatarStream):
    """A face with the meter in its corner."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._meter = MeterStream(BITS * CELL)

    def step(self, features: np.ndarray, render: bool = True) -> np.ndarray | None:
        face, mark = super().step(features, render), self._meter.step(features, render)
        if face is None or mark is None:
            return face
        marked = face.copy()
        marked[MARK] = mark[MARK]
        return marked


if __name__ == "__main__":
    engine.AvatarStream = MarkedStream  # type: ignore[misc]
    sys.exit(serve.main())
