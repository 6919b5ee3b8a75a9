"""Pieces of sound in, finished steps out: everything of a session that runs on its worker thread.

Read next: `avatar/engine.py`, the face, and `streaming/playout.py`, the way out.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import Any

import numpy as np

from streaming.face import FaceStream
from streaming.ingest import HeardStep, Ingest
from streaming.metrics import Metrics
from streaming.opus import OpusEncoder
from streaming.playout import EncoderColours, Step
from streaming.receive_buffer import Piece

MOST_LATE_PICTURES = 2
"""Steps of a backlog that still get a picture."""
REMEMBERED_STEPS = 250


class StepMaker:
    """One caller's ears and face. Not thread-safe: one worker calls it."""

    def __init__(self, face: FaceStream, ingest: Ingest, metrics: Metrics) -> None:
        """A caller who has said nothing yet.

        Args:
            face: of this caller.
            ingest: hears this caller as the face wants to.
            metrics: the server's counters.
        """
        self._face, self._ingest, self._metrics = face, ingest, metrics
        self._colours, self._encoder = EncoderColours(), OpusEncoder()
        self._step_ms: deque[float] = deque(maxlen=REMEMBERED_STEPS)
        self.late_steps = 0

    @property
    def concealed_ms(self) -> int:
        """Sound that was missing so far."""
        return self._ingest.concealed_samples // 48

    def step_ms_p50(self) -> float:
        """Median time of the latest steps, picture and colours included."""
        return float(np.median(list(self._step_ms))) if self._step_ms else 0.0

    def control(self, message: dict[str, Any]) -> dict[str, Any]:
        """See `FaceStream.control`."""
        return self._face.control(message)

    def set_portrait(self, encoded: Any) -> None:
        """See `FaceStream.set_portrait`."""
        self._face.set_portrait(encoded)

    def advance(self, pieces: list[Piece], is_muted: bool, is_watched: bool) -> list[Step]:
        """The steps that these pieces complete.

        Args:
            pieces: the next pieces of the row, all that have come since the last call.
            is_muted: the face hears silence, and the sound of the steps is silent.
            is_watched: whether pictures are wanted at all.

        Returns:
            Steps in order. Several at once mean that the worker was late: then only the newest
            `MOST_LATE_PICTURES` have a picture, and all have their sound.
        """
        started_s = perf_counter()
        heard = self._ingest.push(pieces, is_muted)
        if heard:
            self._metrics.step_seconds.labels("hear").observe(perf_counter() - started_s)
            self._metrics.queue_depth.observe(len(heard) - 1)
        n_late = max(0, len(heard) - MOST_LATE_PICTURES)
        self.late_steps += n_late
        return [self._step(step, is_watched and i >= n_late) for i, step in enumerate(heard)]

    def _step(self, heard: HeardStep, is_drawn: bool) -> Step:
        started_s = perf_counter()
        picture = self._face.step(heard.features, render=is_drawn)
        drawn_s = perf_counter()
        planes = self._colours.convert(picture) if picture is not None else None
        ended_s = perf_counter()
        self._step_ms.append((ended_s - started_s) * 1000)
        self._metrics.step_seconds.labels("face").observe(drawn_s - started_s)
        self._metrics.step_seconds.labels("colour").observe(ended_s - drawn_s)
        return Step(heard.k, planes, self._encoder.encode(heard.sound), heard.sound)
