"""`python -m tests.clients.camera_program LOG OPTIONS...`: the client with a stand-in camera.

Only the kernel's device is replaced: pyvirtualcam's own Camera sends to a backend that writes one
line for each picture, "seconds index brightness", read off the painted meter. With LOG ending in
.yuv the pictures themselves are kept as well, one after another, and the lines go to LOG.txt.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyvirtualcam

from clients import local_server, virtual_camera
from tests.streaming.meter import BITS, CELL, read_index

LOUDNESS = (slice(2 * CELL, 3 * CELL), slice(0, BITS * CELL))


class StandIn:
    """Takes what a camera device would get."""

    log: Path

    def __init__(
        self, width: int, height: int, fps: float, fourcc: int, device: Any, **options: Any
    ) -> None:
        self._side = width
        self._lines = self.log.with_suffix(".txt").open("w", buffering=1)
        self._pictures = self.log.open("wb") if self.log.suffix == ".yuv" else None

    def send(self, frame: np.ndarray) -> None:
        now_s = time.monotonic()
        luma = frame.reshape(-1)[: self._side**2].reshape(self._side, self._side)
        index = read_index(luma)
        place = -1 if index is None else index
        self._lines.write(f"{now_s:.6f} {place} {luma[LOUDNESS].mean():.2f}\n")
        if self._pictures is not None:
            self._pictures.write(frame.tobytes())

    def close(self) -> None:
        self._lines.close()
        if self._pictures is not None:
            self._pictures.close()

    def device(self) -> str:
        return "stand-in"

    def native_fourcc(self) -> None:
        return None


if __name__ == "__main__":
    local_server.SERVER = "tests.clients.marked_server"
    StandIn.log = Path(sys.argv[1])
    pyvirtualcam.register_backend("stand-in", StandIn)
    sys.exit(virtual_camera.main([*sys.argv[2:], "--camera-backend", "stand-in"]))
