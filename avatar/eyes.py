"""Eyes at rest: blinks and small changes of gaze, counted in steps and drawn from a seed."""

from __future__ import annotations

import numpy as np

STEP_MS = 40.0
CLOSE_MS, HOLD_MS, OPEN_MS = 80.0, 80.0, 160.0
"""Lids fall twice as fast as they rise (VanderWerf et al. 2003)."""
DOUBLE_BLINK_SHARE = 0.12


class Blinks:
    """When the lids close: 15 to 30 times a minute, irregularly, now and then twice in a row."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Eyes that are open and blink for the first time within 3 s."""
        self._rng = rng
        self._until_ms = float(rng.uniform(800, 3600))
        self._since_ms: float | None = None

    def step(self) -> float:
        """Closure of the lids in the next step, 0 open .. 1 closed."""
        if self._since_ms is None:
            self._until_ms -= STEP_MS
            if self._until_ms > 0:
                return 0.0
            self._since_ms = -self._until_ms
        else:
            self._since_ms += STEP_MS
        closure = lid_closure(self._since_ms)
        if self._since_ms >= CLOSE_MS + HOLD_MS + OPEN_MS:
            self._since_ms, self._until_ms = None, self._draw_pause_ms()
        return closure

    def _draw_pause_ms(self) -> float:
        if self._rng.random() < DOUBLE_BLINK_SHARE:
            return float(self._rng.uniform(60, 160))
        return 900 + float(self._rng.gamma(2.0, 900))


class Gaze:
    """Where the eyes look: short fixations near the camera, joined by quick small saccades."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Eyes that look into the camera."""
        self._rng = rng
        self._steps_left = 25
        self._target, self._at = np.zeros(2), np.zeros(2)

    def step(self) -> np.ndarray:
        """[2] float64, gaze_x and gaze_y of the next step, -1 .. 1, image right and image down."""
        self._steps_left -= 1
        if self._steps_left <= 0:
            self._steps_left = int(self._rng.uniform(15, 70))
            away = self._rng.random() < 0.6
            self._target = np.clip(self._rng.normal(0, (0.08, 0.05)), -0.2, 0.2) * away
        self._at = self._at + 0.6 * (self._target - self._at)
        return self._at


def lid_closure(since_ms: float) -> float:
    """Closure of the lids, 0 open .. 1 closed, `since_ms` after a blink began."""
    if since_ms < CLOSE_MS + HOLD_MS:
        return _smoothstep(since_ms / CLOSE_MS)
    return 1 - _smoothstep((since_ms - CLOSE_MS - HOLD_MS) / OPEN_MS)


def _smoothstep(t: float) -> float:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)
